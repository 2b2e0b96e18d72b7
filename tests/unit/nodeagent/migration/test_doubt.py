"""Moves that were cut in two: who runs the job, whatever was heard and whatever was not."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import TypeVar

import pytest

from nodeagent.dispatch import Caller
from nodeagent.job import Job
from nodeagent.jobtable import JobTable
from nodeagent.migration.arrival import Arrival
from nodeagent.migration.destination import Destination
from nodeagent.migration.doubt import Doubt
from nodeagent.migration.landing import Landing
from nodeagent.migration.source import Source
from nodeagent.peers import Peers
from nodeagent.places import Places
from nodeagent.services.members import Membership
from nodeagent.shim.message import Message
from nodeagent.shim.messages import Ok, RequestMessage, Status
from nodeagent.shimlink import ShimLink
from ssi.model.gpid import Gpid
from ssi.model.job import JobRow, JobState
from ssi.model.migration import MigrationFailed, ReturnFailed
from ssi.model.shim import RestoreFailed
from ssi.protocol.message import Done
from ssi.protocol.message import RequestMessage as NodeRequest
from ssi.protocol.messages import ReplyBody
from ssi.protocol.migration import GetOwnership, Ownership, ResumeJob
from ssi.protocol.refusals import LinkDown
from tests.unit.nodeagent.asking import run

GPID = 15_000_001
ReplyT = TypeVar("ReplyT", bound=Message)


class FakePeers(Peers):
    """A node that answers how it stands to the job; silent for None."""

    def __init__(self, theirs: Ownership | None) -> None:
        self.theirs = theirs
        self.asked: list[tuple[str, NodeRequest]] = []

    def is_dismissed(self, node: str) -> bool:
        return False

    async def ask(
        self, node: str, body: NodeRequest, *, timeout_s: float, request_id: bytes | None = None
    ) -> ReplyBody:
        self.asked.append((node, body))
        if self.theirs is None:
            raise LinkDown(node=node, reason="cut")
        return self.theirs if isinstance(body, GetOwnership) else Done()


class FakeShim(ShimLink):
    """Does what it is asked, and keeps the names of it."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.asked: list[str] = []
        self.refusal = ""

    async def ask(self, body: RequestMessage, kind: type[ReplyT], timeout_s: float) -> ReplyT:
        self.asked.append(type(body).__name__)
        if self.refusal:
            raise RestoreFailed(reason=self.refusal)
        answer = Status(stage="running", shim_pid=1) if kind is Status else Ok()
        assert isinstance(answer, kind)
        return answer


class FakeSource(Source):
    def __init__(self) -> None:
        self.let_go_to: list[str] = []

    async def let_go(self, job: Job, destination: str) -> None:
        self.let_go_to.append(destination)


class FakeDestination(Destination):
    def __init__(self, directory: Path) -> None:
        self.arrivals = {}
        self.images = directory
        self.ran: list[int] = []
        self.dropped: list[int] = []

    async def run(self, arrival: Arrival) -> None:
        self.ran.append(arrival.row.gpid)

    async def drop(self, gpid: int) -> None:
        self.dropped.append(gpid)


class Node:
    """A node with a job that is leaving it, or one that arrives."""

    def __init__(
        self, directory: Path, tasks: asyncio.TaskGroup, name: str, theirs: Ownership | None
    ) -> None:
        places = Places(directory, directory / "state")
        self.directory = directory
        self.table = JobTable(name, lambda: 1, places, tasks)
        self.peers = FakePeers(theirs)
        self.source, self.destination = FakeSource(), FakeDestination(directory)
        self.shim = FakeShim()
        self.doubt = Doubt(name, self.table, self.peers)
        self.doubt.source, self.doubt.destination = self.source, self.destination

    def job(self, stage: str, *, epoch: int = 4, state: JobState = JobState.MIGRATING) -> Job:
        numbers = itertools.count(GPID + 1)
        row = JobRow(
            gpid=GPID,
            node="n1",
            user="ada",
            argv=("x",),
            cwd="/",
            state=state,
            start_ms=1,
            epoch=epoch,
        )
        (self.directory / "state").mkdir(exist_ok=True)
        made = Job(
            row=row,
            sockets=self.directory / "sockets",
            record=self.directory / "state" / "record",
            membership=Membership(lambda: Gpid(next(numbers))),
            link=self.shim,
            shim_pid=1,
            stage=stage,
            destination="n2",
        )
        self.table.jobs[GPID] = made
        return made

    def arrival(self, *, epoch: int = 5, restored: bool = True) -> Arrival:
        job = self.job("ready", epoch=epoch)
        del self.table.jobs[GPID]
        made = Arrival(
            row=job.row,
            source="n1",
            images=self.directory / "images",
            landing=Landing("n2", GPID, self.directory),
            job=job if restored else None,
        )
        self.destination.arrivals[GPID] = made
        return made

    async def ownership(self) -> Ownership:
        return await self.doubt._ownership(Caller(user="root", node="n2"), GetOwnership(gpid=GPID))


def departure(directory: Path, stage: str, theirs: Ownership | None) -> Node:
    """What the source did about a job of epoch 4 that it was giving to n2."""
    nodes: list[Node] = []

    async def test() -> None:
        async with asyncio.TaskGroup() as tasks:
            node = Node(directory, tasks, "n1", theirs)
            await node.doubt._settle_departure(node.job(stage))
            nodes.append(node)

    run(test())
    return nodes[0]


def arriving(directory: Path, theirs: Ownership | None, *, restored: bool = True) -> Node:
    """What n2 did about a job that it was being given as epoch 5."""
    nodes: list[Node] = []

    async def test() -> None:
        async with asyncio.TaskGroup() as tasks:
            node = Node(directory, tasks, "n2", theirs)
            node.arrival(restored=restored)
            await node.doubt._settle_arrival(GPID)
            nodes.append(node)

    run(test())
    return nodes[0]


@pytest.mark.parametrize(
    "theirs",
    [None, Ownership(stage="none"), Ownership(stage="ready", epoch=5), Ownership(stage="moved")],
)
def test_job_that_was_never_committed_runs_on_at_its_source(
    tmp_path: Path, theirs: Ownership | None
) -> None:
    node = departure(tmp_path, "stopped", theirs)
    assert node.shim.asked == ["Thaw"]
    assert node.table.jobs[GPID].row.state is JobState.RUNNING


def test_committed_job_stays_in_doubt_while_its_destination_is_silent(tmp_path: Path) -> None:
    node = departure(tmp_path, "committed", None)
    assert node.shim.asked == []
    assert node.source.let_go_to == []
    job = node.table.jobs[GPID]
    assert job.stage == "committed"
    assert job.row.problem == "in doubt: it was given to n2, which is silent"


@pytest.mark.parametrize(
    "theirs",
    [
        Ownership(stage="running", epoch=5),
        Ownership(stage="running", epoch=6),
        Ownership(stage="moved", epoch=5),
    ],
)
def test_committed_job_that_ran_at_its_destination_is_let_go(
    tmp_path: Path, theirs: Ownership
) -> None:
    node = departure(tmp_path, "committed", theirs)
    assert node.source.let_go_to == ["n2"]
    assert node.shim.asked == []


def test_committed_job_at_the_barrier_is_told_again_to_run(tmp_path: Path) -> None:
    node = departure(tmp_path, "committed", Ownership(stage="ready", epoch=5))
    assert node.peers.asked[-1] == ("n2", ResumeJob(gpid=GPID, epoch=5))
    assert node.shim.asked == []


@pytest.mark.parametrize(
    "theirs",
    [
        Ownership(stage="none"),
        Ownership(stage="moved", epoch=3),  # it was there once, and went on to here
        Ownership(stage="moved"),
        Ownership(stage="running", epoch=2),
    ],
)
def test_committed_job_that_its_destination_has_not_is_restored_at_its_source(
    tmp_path: Path, theirs: Ownership
) -> None:
    node = departure(tmp_path, "committed", theirs)
    assert node.shim.asked == ["RestoreHere", "SetNote"]
    assert node.source.let_go_to == []
    row = node.table.jobs[GPID].row
    assert (row.state, row.epoch) == (JobState.RUNNING, 5), "what was said of that move is over"


def test_what_cannot_be_restored_at_its_source_says_why_and_is_tried_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with asyncio.TaskGroup() as tasks:
            node = Node(tmp_path, tasks, "n1", Ownership(stage="none"))
            job = node.job("committed")
            node.shim.refusal = "x is gone"
            with pytest.raises(ReturnFailed) as caught:
                await node.doubt.settle(job)
            assert "lost by n2 after the commit" in caught.value.what()
            assert "x is gone" in caught.value.what()
            assert job.row.problem == "n2 has lost it, and here: x is gone"
            assert (job.stage, job.row.state) == ("committed", JobState.MIGRATING)
            node.shim.refusal = ""
            with pytest.raises(MigrationFailed, match="restored here"):
                await node.doubt.settle(job)
            assert (job.row.problem, job.row.state) == ("", JobState.RUNNING)

    run(test())


def test_what_was_killed_meanwhile_is_not_restored(tmp_path: Path) -> None:
    async def test() -> None:
        async with asyncio.TaskGroup() as tasks:
            node = Node(tmp_path, tasks, "n1", Ownership(stage="none"))
            job = node.job("committed")
            node.shim.refusal = "x is gone"
            with pytest.raises(ReturnFailed):
                await node.doubt.settle(job)
            assert job.returning
            job.doomed.set()
            node.shim.refusal = ""
            await node.doubt._settle_departure(job)
            assert node.shim.asked == ["RestoreHere", "Release"]
            assert (job.row.state, job.row.exit_status) == (JobState.EXITED, 137)
            assert not job.returning

    run(test())


def test_arrival_runs_once_its_source_has_committed_it_to_this_node(tmp_path: Path) -> None:
    node = arriving(tmp_path, Ownership(stage="committed", epoch=4, destination="n2"))
    assert (node.destination.ran, node.destination.dropped) == ([GPID], [])


def test_arrival_that_its_source_has_committed_to_another_node_never_runs(tmp_path: Path) -> None:
    """Two copies would run.

    1. n1 gives the job to n2, which restores it. 2. The link is cut, n1 thaws its copy. 3. n1
    gives the job to n3, under the same epoch, and commits. 4. The link heals and n2 asks.
    """
    node = arriving(tmp_path, Ownership(stage="committed", epoch=4, destination="n3"))
    assert (node.destination.ran, node.destination.dropped) == ([], [GPID])


@pytest.mark.parametrize("stage", ["stopped", "committed"])
def test_arrival_that_is_still_being_sent_waits(tmp_path: Path, stage: str) -> None:
    theirs = Ownership(stage=stage, epoch=4, destination="n2")
    node = arriving(tmp_path, theirs, restored=False)
    assert (node.destination.ran, node.destination.dropped) == ([], [])


def test_arrival_stays_in_doubt_while_its_source_is_silent(tmp_path: Path) -> None:
    node = arriving(tmp_path, None)
    assert (node.destination.ran, node.destination.dropped) == ([], [])


@pytest.mark.parametrize(
    "theirs",
    [
        Ownership(stage="running", epoch=4, destination="n2"),
        Ownership(stage="none"),
        Ownership(stage="moved", epoch=4),
    ],
)
def test_arrival_that_its_source_does_not_give_is_dropped(
    tmp_path: Path, theirs: Ownership
) -> None:
    node = arriving(tmp_path, theirs)
    assert (node.destination.ran, node.destination.dropped) == ([], [GPID])


def test_node_tells_how_it_stands_to_a_job(tmp_path: Path) -> None:
    async def test() -> None:
        async with asyncio.TaskGroup() as tasks:
            node = Node(tmp_path, tasks, "n1", None)
            assert await node.ownership() == Ownership(stage="none")
            job = node.job("running", state=JobState.RUNNING)
            assert (await node.ownership()).stage == "running"
            async with job.moving:  # also while files are sent or a large job is dumped
                assert await node.ownership() == Ownership(
                    stage="stopped", epoch=4, destination="n2"
                )
            job.stage = "committed"
            assert await node.ownership() == Ownership(stage="committed", epoch=4, destination="n2")
            job.link = None
            node.table.leave(job, "n2")
            assert await node.ownership() == Ownership(stage="moved", epoch=4)
            node.arrival(epoch=7)
            assert await node.ownership() == Ownership(stage="ready", epoch=7)

    run(test())


def test_a_job_that_is_led_from_images_is_said_to_wait_until_it_runs_here(tmp_path: Path) -> None:
    node = departure(tmp_path, "running", None)
    before = asyncio.run(node.ownership())
    node.doubt.leading[GPID] = (before.epoch + 1, "n2")
    waits = asyncio.run(node.ownership())
    assert (waits.stage, waits.epoch, waits.destination) == ("stopped", before.epoch + 1, "n2")
    node.doubt.committed.add(GPID)
    assert asyncio.run(node.ownership()).stage == "committed"
    node.doubt.leading[GPID] = (before.epoch, "n1")
    assert asyncio.run(node.ownership()) == before, "it has come to that epoch here"
