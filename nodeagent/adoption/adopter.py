"""A tree of the host is dumped where it stands, and runs on as a job: here, or on another node."""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import msgspec

from nodeagent.adoption.journal import Adoption, Journal, open_processes, wake
from nodeagent.adoption.outsidedump import dump_outside
from nodeagent.adoption.suitability import hopeless, shared_memory, shared_pipes, ties
from nodeagent.adoption.tree import Candidate, name_of, read_tree
from nodeagent.checkpoint.delivery import Delivery, Parcel
from nodeagent.jobtable import JobTable, remove_tree
from nodeagent.mechanism.connections import read_connections
from nodeagent.mechanism.openfiles import read_open_things, writers_outside
from nodeagent.migration.capability import Capability
from nodeagent.migration.describe import describe_directory, describe_file, describe_program
from nodeagent.migration.hold import Point, reach
from nodeagent.migration.plan import Plan, named_pipes
from nodeagent.migration.survey import connected, described, listening, plan_of, starting
from nodeagent.shim.messages import Account
from ssi.model.adoption import AdoptionFailed, CannotAdopt
from ssi.model.errors import SsiError
from ssi.model.gpid import Gpid
from ssi.model.job import JobRow, JobState
from ssi.model.process import ProcessRow
from ssi.protocol.checkpoints import JobRevived
from ssi.protocol.migration import MigrationChecked

_log = logging.getLogger(__name__)

REAPERS: Final = frozenset({"systemd", "init", "ssi-lab-init", "tini", "dumb-init"})
DEATH_LIMIT_S: Final = 10.0


class Adopter:
    """Makes jobs of processes of this node.

    Args:
        node: Its name.
        table: Its jobs.
        capability: What CRIU here can do.
        rows: Rows of all processes, freshly read.
        images: Directory for images, in memory.
        jobs: Directory of the records of jobs.
        delivery: Brings images to life.
        journal: What is under way.
        committed: Where :mod:`~nodeagent.migration.doubt` is told whose first copy is killed.
        finish: Sees to the end of one that is committed and not known to run.
    """

    def __init__(
        self,
        node: str,
        table: JobTable,
        capability: Capability,
        rows: Callable[[], list[ProcessRow]],
        images: Path,
        jobs: Path,
        delivery: Delivery,
        journal: Journal,
        committed: set[int],
        finish: Callable[[Adoption], None],
    ) -> None:
        self._node = node
        self._table = table
        self._capability = capability
        self._rows = rows
        self._images = images
        self._jobs = jobs
        self._delivery = delivery
        self._journal = journal
        self._committed = committed
        self._finish = finish
        self._busy: set[int] = set()

    async def check(self, row: ProcessRow, destination: str, *, force: bool) -> MigrationChecked:
        """What stands in the way on both ends; nothing is touched."""
        # Of a number for the job none is used up by looking.
        tree, parcel, here = await self._look(row, destination, lambda: Gpid(0), force=force)
        there: list[str] = []
        if parcel is not None and tree:
            try:
                there = await self._delivery.obstacles(parcel)
            except SsiError as exc:
                there = [exc.what()]
        return MigrationChecked(
            gpid=row.gpid,
            source=self._node,
            destination=destination,
            here=tuple(here),
            there=tuple(there),
            image_bytes=parcel.memory_bytes if parcel is not None else 0,
            file_bytes=sum(meta.size_bytes for meta in parcel.files) if parcel is not None else 0,
        )

    async def adopt(self, row: ProcessRow, destination: str, *, force: bool) -> JobRevived:
        """Makes a job of a process and all below it; returns once it runs.

        Raises:
            CannotAdopt: Something stands in the way here; nothing was touched.
            CannotRestore: Something stands in the way there.
            AdoptionFailed: It was tried; the processes run on where they are, or, where that is
                said, will as a job, once the destination answers.
        """
        if row.pid in self._busy:
            raise self._refused(row, ["it is being adopted already"])
        self._busy.add(row.pid)
        try:
            began_s = time.monotonic()
            tree, parcel, blockers = await self._look(
                row, destination, self._table.allocate, force=force
            )
            if blockers or parcel is None:
                raise self._refused(row, blockers)
            stopped_s = await self._carry_over(row, tree, parcel)
        finally:
            self._busy.discard(row.pid)
        now_s = time.monotonic()
        return JobRevived(
            row=msgspec.structs.replace(parcel.row, state=JobState.RUNNING),
            total_ms=(now_s - began_s) * 1000,
            freeze_ms=(now_s - stopped_s) * 1000,
        )

    async def _carry_over(self, row: ProcessRow, tree: list[Candidate], parcel: Parcel) -> float:
        """The tree runs as a job; returns when it was stopped."""
        gpid = parcel.row.gpid
        adoption = Adoption(
            gpid=gpid,
            destination=parcel.row.node,
            processes=tuple((each.pid, each.start_ticks) for each in reversed(tree)),
            stopped=tuple(each.pid for each in tree if each.state in "Tt"),
        )
        parcel.images = self._images / f"{gpid}-0"
        is_open = False
        try:
            async with self._delivery.leading(parcel):
                self._journal.write(adoption)
                stopped_s = time.monotonic()
                try:
                    await self._dump(tree, parcel)
                    await self._delivery.carry(parcel, parcel.files, frozen=True)
                    await self._delivery.restore(parcel)
                    committed = msgspec.structs.replace(adoption, committed=True)
                    self._journal.write(committed)
                except BaseException:
                    wake(adoption)
                    raise
                parcel.committed = True
                await kill_all(committed)
                self._committed.add(gpid)
                await reach(Point.SOURCE_RESUME, gpid)
                await self._delivery.resume(parcel)
        except (OSError, SsiError) as exc:
            reason = exc.what() if isinstance(exc, SsiError) else exc.strerror or str(exc)
            if parcel.committed and not parcel.lost:
                is_open = True
                self._finish(committed)
                raise self._open(row, parcel, reason or "it takes long to die here") from exc
            if parcel.lost:
                raise self._failed(row, f"{reason}; its processes have been killed") from exc
            if isinstance(exc, OSError):
                raise self._failed(row, reason) from exc
            raise
        finally:
            if not is_open:
                self._committed.discard(gpid)
                self._journal.remove(gpid)
            remove_tree(parcel.images)
        _log.info("event=adopted pid=%d gpid=%d node=%s", row.pid, gpid, parcel.row.node)
        return stopped_s

    async def _dump(self, tree: list[Candidate], parcel: Parcel) -> None:
        """The tree is stopped and dumped; the parcel holds what it had open then."""
        remove_tree(parcel.images)
        parcel.images.mkdir(mode=0o700)
        root = tree[0]
        account = Account(
            user=parcel.row.user, uid=root.uids[1], gid=root.gids[1], groups=root.groups
        )
        logs = str(self._jobs / str(parcel.row.gpid))
        parcel.state = await dump_outside(self._capability.path, tree, parcel.images, account, logs)
        plan = await asyncio.to_thread(self._plan, parcel.row, [each.pid for each in tree])
        parcel.files = await asyncio.to_thread(described, describe_file, plan.files)
        parcel.sources = plan.sources
        parcel.directories = described(describe_directory, plan.directories)

    async def _look(
        self, row: ProcessRow, destination: str, allocate: Callable[[], Gpid], *, force: bool
    ) -> tuple[list[Candidate], Parcel | None, list[str]]:
        """The tree, what it would be as a job, and what stands in the way of that here."""
        await asyncio.to_thread(self._capability.refresh)
        try:
            tree = read_tree(row.pid)
            reason = hopeless(tree, self._own_pids())
            if reason:
                return tree, None, [reason]
            blockers = self._capability.blockers()
            blockers += ties(tree, force=force, name_of=name_of, reapers=REAPERS)
            rows = {each.pid: each for each in self._rows()}
            parcel = self._parcel(row, rows, tree, destination, allocate)
            blockers += await asyncio.to_thread(self._survey, parcel, tree)
        except OSError as exc:
            return [], None, [f"it cannot be looked at: {exc.strerror}"]
        return tree, parcel, blockers

    def _survey(self, parcel: Parcel, tree: list[Candidate]) -> list[str]:
        """Fills in what the tree holds; what of it stands in the way."""
        root, pids = tree[0].pid, [each.pid for each in tree if each.state != "Z"]
        things = read_open_things(pids)
        plan = self._plan(parcel.row, pids)
        pipes = frozenset((each.device, each.inode) for each in things if each.kind == "pipe")
        sockets = read_connections(root)
        parcel.programs = described(describe_program, plan.programs)
        parcel.files = described(describe_file, plan.files)
        parcel.shared = tuple(item.path for item in plan.shared)
        parcel.listening = listening(things, sockets)
        blockers = [
            *starting({pid: name_of(pid) for pid in pids}),
            *named_pipes(plan),
            *plan.blockers,
            *connected(things, sockets),
            *shared_pipes(things, writers_outside(pipes, frozenset(pids), ""), name_of),
            *shared_memory(things),
        ]
        if any(thing.inode in sockets for thing in things):
            blockers += self._capability.socket_blockers()
        return blockers

    def _plan(self, job: JobRow, pids: list[int]) -> Plan:
        return plan_of(job, read_open_things(pids), pids, root_pid=pids[0], shim_pid=0)

    def _parcel(
        self,
        row: ProcessRow,
        rows: dict[int, ProcessRow],
        tree: list[Candidate],
        destination: str,
        allocate: Callable[[], Gpid],
    ) -> Parcel:
        members = []
        for each in tree:
            known = rows.get(each.pid)
            started_s = known.started_at_s if known is not None else row.started_at_s
            members.append((each.pid, int(allocate()), int(started_s * 1000)))
        _pid, gpid, born_ms = members[0]
        job = JobRow(
            gpid=gpid,
            node=destination,
            user=pwd.getpwuid(tree[0].uids[1]).pw_name,
            argv=row.command or (row.name,),
            cwd=os.readlink(f"/proc/{row.pid}/cwd"),  # noqa: PTH115 - a text, not a path
            state=JobState.MIGRATING,
            start_ms=born_ms,
            detached=True,
            nodes=(self._node,) if destination == self._node else (self._node, destination),
            home=self._node,
        )
        return Parcel(
            name=f"process {row.pid} ({row.name})",
            row=job,
            images=self._images,
            uid=tree[0].uids[1],
            gid=tree[0].gids[1],
            criu=self._capability.version,
            cpu=self._capability.cpu,
            memory_bytes=sum(rows[each.pid].rss_bytes for each in tree if each.pid in rows),
            members=tuple(members),
        )

    def _own_pids(self) -> set[int]:
        shims = {job.shim_pid for job in self._table.living()}
        return {os.getpid(), os.getppid(), *shims}

    def _refused(self, row: ProcessRow, blockers: list[str]) -> CannotAdopt:
        return CannotAdopt(gpid=row.gpid, node=self._node, blockers=blockers)

    def _open(self, row: ProcessRow, parcel: Parcel, reason: str) -> AdoptionFailed:
        """What is done cannot be undone, and goes on without whoever asked for it."""
        return AdoptionFailed(
            gpid=row.gpid,
            node=self._node,
            reason=reason,
            job=parcel.row.gpid,
            destination=parcel.row.node,
        )

    def _failed(self, row: ProcessRow, reason: str) -> AdoptionFailed:
        return AdoptionFailed(gpid=row.gpid, node=self._node, reason=reason)


async def kill_all(adoption: Adoption) -> None:
    """Kills the first copy; returns once every process of it has ended.

    Raises:
        TimeoutError: One does not.
    """
    descriptors = open_processes(adoption)
    try:
        for descriptor in descriptors:
            _kill(descriptor)
        async with asyncio.timeout(DEATH_LIMIT_S):
            for descriptor in descriptors:
                await _ended(descriptor)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _kill(descriptor: int) -> None:
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except ProcessLookupError:
        return


async def _ended(descriptor: int) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)


def first_row(rows: Iterable[ProcessRow], gpid: int) -> ProcessRow | None:
    """The row of a process; None where there is none."""
    return next((row for row in rows if row.gpid == gpid), None)
