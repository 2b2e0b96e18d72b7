"""Who may ask a node what: the whole table, and that it holds for each kind of request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import get_args

import pytest
import zmq

from nodeagent.dispatch import Audience, Caller, Dispatcher
from nodeagent.peers import Peers
from nodeagent.places import Places
from nodeagent.register import Register
from nodeagent.services.mesh import Identity, MeshService
from nodeagent.services.node import NodeServices
from ssi.protocol.channel import OpenChannel
from ssi.protocol.checkpoints import (
    AdoptProcess,
    CheckAdoption,
    CheckpointJob,
    CloneJob,
    LeaveJob,
    ListCheckpoints,
    RemoveCheckpoint,
    RestoreCheckpoint,
)
from ssi.protocol.clients import ListServed, OfferFiles, ServeFiles
from ssi.protocol.guests import AllowFiles
from ssi.protocol.jobs import (
    DisownJob,
    FreezeJob,
    ReadStream,
    ReleaseJob,
    ResizeTerminal,
    SignalProcess,
    StartJob,
    WaitJob,
    WriteStream,
)
from ssi.protocol.message import RequestMessage
from ssi.protocol.messages import RequestBody
from ssi.protocol.migration import (
    AbandonMigration,
    CheckMigration,
    CompareFiles,
    EndLoan,
    ForwardSignals,
    GetOwnership,
    GetPages,
    MigrateJob,
    PrepareMigration,
    PutPieces,
    RestoreJob,
    ResumeJob,
)
from ssi.protocol.mounts import ListMounts, MountFiles, UnmountFiles
from ssi.protocol.pipes import CloseStream, JoinStreams, OpenLane, TakeStream
from ssi.protocol.refusals import NotPermitted
from ssi.protocol.system import (
    AllowClient,
    CordonNode,
    Examine,
    GetRoster,
    InstallRoster,
    ListClients,
    ListEvents,
    ListJobs,
    ListNodes,
    ListProcesses,
    Locate,
    RevokeClient,
)
from ssi.protocol.table import InspectProcess, TuneProcess, WatchProcesses
from ssi.transport.keys import KeyPair
from tests.unit.nodeagent.asking import dispatcher, error_in, least_of, request_of, run

AUDIENCES: dict[type[RequestMessage], Audience] = {
    GetRoster: Audience.ANYONE,
    InstallRoster: Audience.ROOT,
    AllowClient: Audience.ANYONE,  # for the asker's own user only
    AllowFiles: Audience.ANYONE,  # likewise
    ListClients: Audience.ANYONE,  # the asker's own, all for root
    RevokeClient: Audience.ANYONE,  # likewise
    ListNodes: Audience.ANYONE,
    ListEvents: Audience.ANYONE,
    ListProcesses: Audience.ANYONE,  # command lines of others are left out
    ListJobs: Audience.ANYONE,  # the asker's own, all for root
    Locate: Audience.ANYONE,
    StartJob: Audience.ANYONE,  # as the asker
    WaitJob: Audience.ANYONE,  # and the following: the owner or root
    ReadStream: Audience.ANYONE,
    WriteStream: Audience.ANYONE,
    JoinStreams: Audience.ANYONE,
    TakeStream: Audience.ANYONE,
    CloseStream: Audience.ANYONE,
    OpenLane: Audience.ANYONE,
    OpenChannel: Audience.ANYONE,
    ResizeTerminal: Audience.ANYONE,
    DisownJob: Audience.ANYONE,
    ReleaseJob: Audience.ANYONE,
    SignalProcess: Audience.ANYONE,
    FreezeJob: Audience.ANYONE,
    MigrateJob: Audience.ANYONE,
    CheckMigration: Audience.ANYONE,
    CordonNode: Audience.ROOT,
    Examine: Audience.ANYONE,  # facts that any program there could find out
    PrepareMigration: Audience.NODE,
    CompareFiles: Audience.NODE,
    PutPieces: Audience.NODE,
    RestoreJob: Audience.NODE,
    ResumeJob: Audience.NODE,
    ForwardSignals: Audience.NODE,
    GetPages: Audience.NODE,
    EndLoan: Audience.NODE,
    AbandonMigration: Audience.NODE,
    GetOwnership: Audience.NODE,
    CheckpointJob: Audience.ANYONE,  # and the following: the owner or root
    ListCheckpoints: Audience.ANYONE,
    RemoveCheckpoint: Audience.ANYONE,
    RestoreCheckpoint: Audience.ANYONE,
    CloneJob: Audience.ANYONE,
    LeaveJob: Audience.NODE,
    AdoptProcess: Audience.ANYONE,  # the owner of the process, or root
    CheckAdoption: Audience.ANYONE,
    MountFiles: Audience.ROOT,
    UnmountFiles: Audience.ROOT,
    ListMounts: Audience.ANYONE,
    WatchProcesses: Audience.ANYONE,  # command lines of others are left out
    TuneProcess: Audience.ANYONE,  # the owner of the process, or root
    InspectProcess: Audience.ANYONE,  # the owner of the process, or root
    OfferFiles: Audience.ANYONE,  # with the asker's own key only
}

CLIENT_AUDIENCES: dict[type[RequestMessage], Audience] = {
    ServeFiles: Audience.ROOT,  # which is its own user, for an agent that is not root's
    ListServed: Audience.ROOT,
}
"""What an agent in client mode serves, and no node does."""

NO_KEY = KeyPair(public="", secret="")

CALLERS = {
    "root": Caller(user="root"),
    "user": Caller(user="ada"),
    "client": Caller(user="eve"),
    "node": Caller(user="root", node="n2"),
}

REFUSED = {
    Audience.ANYONE: set[str](),
    Audience.ROOT: {"user", "client"},
    Audience.NODE: {"root", "user", "client"},
}


@asynccontextmanager
async def node(directory: Path) -> AsyncIterator[Dispatcher]:
    """All services of a node, with no roster yet and nothing to talk to."""
    places = Places(directory / "run", directory / "state")
    for made in (places.runtime, places.state, places.jobs, places.job_sockets, places.images):
        made.mkdir(parents=True, exist_ok=True)
    register = Register("n1", places.roster, places.clients)
    with zmq.Context() as context:
        peers = Peers(context, "n1", NO_KEY)
        async with dispatcher("n1") as d:
            services = NodeServices("n1", places, register, peers, "", d._tasks)
            services.register_handlers(d)
            identity = Identity(node="n1", incarnation=1, version="1", key=NO_KEY)
            mesh = MeshService(identity, register, peers, None, None, d._tasks)
            mesh.register_handlers(d)
            yield d
            mesh.heart.stop(leaves=False)


def test_node_serves_every_kind_of_request_for_the_audience_in_the_table(tmp_path: Path) -> None:
    async def test() -> None:
        async with node(tmp_path) as d:
            assert d.served() == AUDIENCES

    run(test())
    assert {*AUDIENCES, *CLIENT_AUDIENCES} == set(get_args(RequestBody))


@pytest.mark.parametrize("who", CALLERS)
def test_those_outside_the_audience_are_refused_each_kind(tmp_path: Path, who: str) -> None:
    async def test() -> None:
        async with node(tmp_path) as d:
            for kind, audience in AUDIENCES.items():
                if who in REFUSED[audience]:
                    error = error_in(await d.answer(request_of(least_of(kind)), CALLERS[who]))
                    assert isinstance(error, NotPermitted), (kind, error)

    run(test())


@pytest.mark.parametrize(
    "kind",
    [WaitJob, ReadStream, WriteStream, ResizeTerminal, DisownJob, ReleaseJob, SignalProcess],
)
def test_client_mode_agent_serves_no_jobs(tmp_path: Path, kind: type[RequestMessage]) -> None:
    async def test() -> None:
        register = Register("", tmp_path / "cluster", None)
        with zmq.Context() as context:
            peers = Peers(context, "", NO_KEY)
            async with dispatcher("this machine") as d:
                identity = Identity(node="", incarnation=1, version="1", key=NO_KEY)
                mesh = MeshService(identity, register, peers, None, None, d._tasks)
                mesh.register_handlers(d)
                error = error_in(await d.answer(request_of(least_of(kind)), CALLERS["root"]))
                assert error.word == "not-served"
                mesh.heart.stop(leaves=False)

    run(test())
