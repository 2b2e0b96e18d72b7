"""A system that is not there, behind a real door: whatever crosses its socket is kept."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from nodeagent.tablelog import TableLog
from ssi.client.connection import Connection
from ssi.client.system import System
from ssi.model.counters import HostCounters, ProcessGpu
from ssi.model.errors import SsiError
from ssi.model.job import JobRow, JobState
from ssi.model.node import MeshEvent, NodeRow, NodeState
from ssi.model.process import ProcessRow
from ssi.protocol.codec import BadMessage, decode_request_body, encode_reply_body, make_failure
from ssi.protocol.envelope import Failure, Reply, Request
from ssi.protocol.jobs import FreezeJob, JobReply, ReadStream, SignalProcess, StreamData, WaitJob
from ssi.protocol.message import Done, ReplyMessage, RequestMessage
from ssi.protocol.migration import CheckMigration, JobMigrated, MigrateJob, MigrationChecked
from ssi.protocol.refusals import NodeUnknown, NoSuchProcess, NotServed
from ssi.protocol.system import (
    CordonNode,
    EventList,
    JobList,
    ListEvents,
    ListJobs,
    ListNodes,
    ListProcesses,
    Locate,
    Located,
    NodeList,
    ProcessList,
)
from ssi.protocol.table import (
    InspectProcess,
    ProcessInspected,
    TableChange,
    TuneProcess,
    WatchProcesses,
)
from ssi.transport.door import Door, DoorUser
from tests.unit.view.samples import NOON_S, node, process

ENV = ("HOME=/home/ada", "TERM=\x1b[2J")


class Mesh:
    """Three nodes with a few processes each.

    Attributes:
        processes: By node.
        busy: Processes that use ten cores from one look to the next.
        output: What the job has written to each stream.
        threads: By gpid of their process; told where they are asked for.
        silent: Nodes that never answer.
        blockers: What stands in the way of a move to a node.
        older: Nodes whose agents know no changes of the table.
        told_rows: How many rows viewers were sent.
        gpus: What processes use of GPUs, by node; told where it is asked for.
        asked: Everything that changes something, with the node that was asked.
    """

    def __init__(self) -> None:
        self.nodes = [node(rtt_ms=0.0), node(name="n2", number=2), node(name="n3", number=3)]
        self.processes = {
            "n1": [
                process(gpid=10000042, command=("xz", "-9", "big"), cpu_percent=50.0, cpu_s=1.0),
                process(gpid=10000043, name="cat", command=("/bin/cat",), cpu_percent=0.0),
            ],
            "n2": [
                process(gpid=20000007, user="root", name="sleep", command=("sleep", "99")),
                process(gpid=20000008, name="evil", command=("\x1b]0;x\x07[red]",)),
            ],
            "n3": [
                process(gpid=15000001, job=15000001, name="sh", command=("sh", "-c", "work")),
                process(
                    gpid=15000002,
                    job=15000001,
                    parent_gpid=15000001,
                    name="work",
                    command=("work",),
                ),
            ],
        }
        self.threads: dict[int, list[ProcessRow]] = {}
        self.gpus: dict[str, tuple[ProcessGpu, ...]] = {}
        self.silent: set[str] = set()
        self.failures: dict[str, SsiError] = {}
        self.blockers: dict[str, tuple[str, ...]] = {}
        self.output = {"stdout": b"one\ntwo \x1b[31mred\x1b[0m\n", "stderr": b"oops\x07"}
        self.frozen = False
        self.busy: set[int] = set()
        self.older: set[str] = set()
        self.told_rows = 0
        self._logs: dict[tuple[str, bool], TableLog] = {}
        self.asked: list[tuple[str, RequestMessage]] = []
        self._clock_s = NOON_S
        self._door = Door(self._answer)

    def kill_node(self, name: str) -> None:
        """The node is believed dead."""
        self.silent.add(name)
        self._change_node(name, state=NodeState.DEAD, age_s=12.0)

    def spend(self, gpid: int, cpu_s: float) -> None:
        """A process is busy."""
        for rows in self.processes.values():
            for index, row in enumerate(rows):
                if row.gpid == gpid:
                    rows[index] = msgspec.structs.replace(row, cpu_s=row.cpu_s + cpu_s)

    def find(self, gpid: int) -> tuple[str, ProcessRow]:
        """Where a process is."""
        for name, rows in self.processes.items():
            for row in rows:
                if row.gpid == gpid:
                    return name, row
        raise NoSuchProcess(gpid=gpid)

    def changes(self) -> list[RequestMessage]:
        """What was asked for that changes something."""
        return [body for _node, body in self.asked]

    async def open(self, path: Path) -> None:
        """Listens."""
        await self._door.open(path, 0o600)

    async def close(self) -> None:
        """Is gone."""
        await self._door.close()

    def _change_node(self, name: str, **changes: object) -> None:
        self.nodes = [
            msgspec.structs.replace(row, **changes) if row.name == name else row
            for row in self.nodes
        ]

    async def _answer(self, request: Request, _user: DoorUser) -> Reply | Failure:
        body = decode_request_body(request.body)
        if type(body).mutating:
            self.asked.append((request.target, body))
        if request.target in self.silent:
            await asyncio.Event().wait()
        try:
            if request.target in self.failures:
                raise self.failures[request.target]
            return Reply(request.id, encode_reply_body(self._reply(request.target, body)))
        except SsiError as exc:
            return make_failure(request.id, exc)

    def _reply(self, name: str, body: RequestMessage) -> ReplyMessage:
        if name and name not in self.processes:
            raise NodeUnknown(node=name)
        match body:
            case ListNodes():
                return NodeList(observer="n1", rows=tuple(self.nodes))
            case ListProcesses():
                return self._list(name, body)
            case WatchProcesses():
                return self._change(name, body)
            case ListEvents():
                event = MeshEvent(stamp=1, at_s=NOON_S, node="n3", kind="joined", incarnation=1)
                return EventList(rows=(event,))
            case ListJobs():
                return JobList(node=name, rows=(self._job(),) if self._job().node == name else ())
            case Locate():
                return self._locate(name, body)
        return self._deed(name, body)

    def _deed(self, name: str, body: RequestMessage) -> ReplyMessage:
        match body:
            case SignalProcess():
                return self._signal(body)
            case TuneProcess():
                self.find(body.gpid)
                return Done()
            case CordonNode():
                return Done()
            case ReadStream():
                text = self.output[body.stream]
                return StreamData(offset=body.offset, data=text[body.offset :], ended=True)
            case InspectProcess():
                return ProcessInspected(lines=("0,1,2,3", "0,1") if body.aspect == "cpus" else ENV)
            case CheckMigration() | MigrateJob():
                return self._move(name, body)
            case WaitJob() | FreezeJob():
                self.frozen = body.frozen if isinstance(body, FreezeJob) else self.frozen
                return JobReply(row=self._job(body.gpid))
        raise NotServed(node=name, request=type(body).__name__)

    def _list(self, name: str, body: ListProcesses) -> ProcessList:
        self._clock_s += 0.1
        for gpid in self.busy:
            self.spend(gpid, 1.0)
        rows = [row for row in self.processes[name] if row.job or not body.jobs]
        if body.threads:
            rows = [each for row in rows for each in (row, *self.threads.get(row.gpid, ()))]
        return ProcessList(node=name, taken_at_s=self._clock_s, rows=tuple(rows))

    def _change(self, name: str, body: WatchProcesses) -> TableChange:
        if name in self.older:
            raise BadMessage(reason="unknown tag")
        log = self._logs.setdefault((name, body.threads), TableLog())
        log.observe(self._list(name, ListProcesses(threads=body.threads)).rows)
        change = log.since(body.table, body.since)
        self.told_rows += len(change.rows)
        return TableChange(
            node=name,
            taken_at_s=self._clock_s,
            table=log.name,
            version=change.version,
            gpus=self.gpus.get(name, ()) if body.gpus else (),
            whole=change.whole,
            rows=tuple(change.rows),
            gone=tuple(change.gone),
            counters=HostCounters(
                taken_at_s=self._clock_s,
                cores=((int(self._clock_s * 30) % 10**6, int(self._clock_s * 100) % 10**7),) * 4,
                pressure=(1.0, 0.0, 2.0),
                received_bytes=int((self._clock_s - NOON_S) * 1e6),
            ),
        )

    def _locate(self, name: str, body: Locate) -> Located:
        try:
            where, row = self.find(body.gpid)
        except NoSuchProcess:
            return Located(here=False)
        return Located(here=where == name, start_ms=row.start_ms, job=row.job)

    def _signal(self, body: SignalProcess) -> Done:
        name, row = self.find(body.gpid)
        if row.start_ms != body.start_ms:
            raise NoSuchProcess(gpid=body.gpid, detail="another process has its pid now")
        if body.signal in {signal.SIGTERM, signal.SIGKILL}:
            self.processes[name].remove(row)
        return Done()

    def _move(self, name: str, body: CheckMigration | MigrateJob) -> ReplyMessage:
        blockers = self.blockers.get(body.destination, ())
        if isinstance(body, CheckMigration):
            return MigrationChecked(
                gpid=body.gpid, source=name, destination=body.destination, there=blockers
            )
        moved = [row for row in self.processes[name] if row.job == body.gpid]
        self.processes[name] = [row for row in self.processes[name] if row.job != body.gpid]
        self.processes[body.destination] += moved
        return JobMigrated(
            row=self._job(), total_ms=90.0, freeze_ms=41.0, image_bytes=1 << 20, carried_bytes=0
        )

    def _job(self, gpid: int = 15000001) -> JobRow:
        name, row = self.find(gpid)
        return JobRow(
            gpid=row.gpid,
            node=name,
            user=row.user,
            argv=row.command,
            cwd="/",
            state=JobState.FROZEN if self.frozen else JobState.RUNNING,
            start_ms=row.start_ms,
            frozen=self.frozen,
            nodes=(name,),
            processes=2,
        )


@asynccontextmanager
async def connected(mesh: Mesh, directory: Path) -> AsyncIterator[System]:
    """The real client in front of it."""
    path = directory / "door.sock"
    await mesh.open(path)
    try:
        async with Connection(*await asyncio.open_unix_connection(str(path))) as connection:
            system = System(connection)
            try:
                yield system
            finally:
                await system.connection.close()  # another one, where the door was closed meanwhile
    finally:
        await mesh.close()


def rows_named(rows: list[NodeRow], name: str) -> NodeRow:
    """The node of that name."""
    return next(row for row in rows if row.name == name)
