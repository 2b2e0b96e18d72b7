"""Both ends look at a job that is to move: what stands in the way is found before it is touched.

A dry run is this and nothing more; a move begins with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from nodeagent.job import Job
from nodeagent.mechanism.aesgcm import is_supported
from nodeagent.mechanism.openfiles import read_open_things
from nodeagent.migration.capability import Capability
from nodeagent.migration.describe import describe_file, settle_files
from nodeagent.migration.move import Move
from nodeagent.migration.reception import room_for_images
from nodeagent.migration.rounds import best_live, may_begin
from nodeagent.migration.standby import stand_by
from nodeagent.migration.survey import Survey, described, plan_of, survey_job
from nodeagent.peers import Peers
from nodeagent.shim.messages import StandByToDump
from ssi.model.errors import SsiError
from ssi.model.job import JobState
from ssi.model.migration import Live
from ssi.model.process import ProcessRow
from ssi.protocol.migration import (
    FileMeta,
    MigrationChecked,
    MigrationPrepared,
    PrepareMigration,
)

LOOK_TIMEOUT_S: Final = 120.0
"""The destination compares the contents of files."""


def look_again(move: Move, pids: Sequence[int]) -> tuple[FileMeta, ...]:
    """Plans the move of the stopped job; describes what changed of its files since they were sent.

    In one call for a thread: with each step in its own it stood in line behind those that send
    (the interpreter lets one run for up to 5 ms), while the job stands still.

    Args:
        move: Its plan is the new one. Where that has blockers, no more is looked at.
        pids: The processes of the job.

    Raises:
        OSError: The job has ended, or something that it holds cannot be read.
    """
    job = move.job
    move.plan = plan_of(
        job.row, read_open_things(pids), pids, root_pid=job.root_pid, shim_pid=job.shim_pid
    )
    if move.plan.blockers:
        return ()
    move.forget(move.files.keys() - move.plan.sources.keys())  # it has closed them
    settle_files(move.plan.followed)
    return described(describe_file, move.changed())


class Preflight:
    """Looks, on behalf of the source.

    Args:
        node: Name of this node.
        peers: Links to the others.
        capability: What CRIU here can do.
        rows: Rows of all processes of jobs, freshly read.
        images: Directory for images, in memory.
        begin: Does something beside.
    """

    def __init__(
        self,
        node: str,
        peers: Peers,
        capability: Capability,
        rows: Callable[[], list[ProcessRow]],
        images: Path,
        begin: Callable[[Coroutine[None, None, None]], object],
    ) -> None:
        self._node = node
        self._peers = peers
        self._capability = capability
        self._rows = rows
        self._images = images
        self._begin = begin

    def begin(self, job: Job, destination: str, live: Live | None = None) -> Move:
        """A move of which nothing has been done.

        Args:
            job: What moves.
            destination: Where to.
            live: When its memory travels; None: as suits it best, which :meth:`look` finds out.
        """
        row = job.row
        there = msgspec.structs.replace(
            row,
            node=destination,
            nodes=(*row.nodes, destination),
            epoch=row.epoch + 1,
            state=JobState.MIGRATING,
        )
        images = self._images / f"{row.gpid}-{there.epoch}"
        return Move(
            job=job,
            destination=destination,
            row=there,
            images=images,
            live=live or Live.STOP,
            is_free=live is None,
        )

    def _obstacles(self, move: Move, *, dry_run: bool) -> tuple[str, ...]:
        """What makes it idle to look further."""
        job = move.job
        if job.is_over or not job.shim_pid:
            return ("it has ended",)
        if move.destination == self._node:
            return (f"it is on {self._node} already",)
        if dry_run and job.moving.locked():
            return (f"another move of it is under way, to {job.destination}",)
        if job.arriving:
            return ("its memory is still on its way from where it was before",)
        if job.is_unsettled:
            return (f"another move of it is not settled yet (it is {job.stage})",)
        return (*self._capability.blockers(), *self._capability.live_blockers(move.live))

    async def look(self, move: Move, *, dry_run: bool) -> MigrationChecked:
        """Both ends look. The destination makes itself ready if nothing is in the way on either.

        Raises:
            SsiError: The destination does not answer; of a dry run that is a finding.
        """
        here = self._obstacles(move, dry_run=dry_run)
        if here:
            return self._checked(move, here, ())
        try:
            survey = await self._survey(move.job)
        except OSError as exc:
            reason = f"it cannot be looked at: {exc}"
            if not Path(f"/proc/{move.job.root_pid}").exists():
                reason = "it has just ended"
            return self._checked(move, (reason,), ())
        if survey.has_internet_sockets:
            sockets = tuple(self._capability.socket_blockers())
            survey = replace(survey, blockers=(*survey.blockers, *sockets))
        move.plan = survey.plan
        if move.is_free:
            tracks, frozen = self._capability.tracks_writes, move.row.frozen
            move.live = best_live(survey.memory_bytes, tracks_writes=tracks, is_frozen=frozen)
        if not dry_run and not survey.blockers and move.live is not Live.PRE:
            lazy = move.live is Live.POST  # the destination has rarely anything against it
            self._begin(stand_by(move.job, StandByToDump(criu=self._capability.path, lazy=lazy)))
        request = self._request(move, survey, dry_run=dry_run or bool(survey.blockers))
        try:
            reply = await self._peers.ask(move.destination, request, timeout_s=LOOK_TIMEOUT_S)
            assert isinstance(reply, MigrationPrepared), reply
            there = reply.blockers
            move.unpacks, move.offer = reply.unpacks, reply.lane
            move.standing = frozenset(reply.standing)
            move.room_bytes = min(reply.room_bytes, room_for_images(self._images))
        except SsiError as exc:
            if not dry_run:
                raise
            there = (exc.what(),)
        if move.live is Live.PRE and not may_begin(survey.memory_bytes, move.room_bytes):
            move.live, move.not_ahead = Live.STOP, "there is no room for its memory twice"
        move.files = {meta.path: meta for meta in survey.files}
        move.steady = survey.steady
        checked = self._checked(move, survey.blockers, there)
        return msgspec.structs.replace(
            checked,
            image_bytes=survey.memory_bytes,
            file_bytes=sum(meta.size_bytes for meta in survey.files),
        )

    async def _survey(self, job: Job) -> Survey:
        # Processes are read and named here, for that is not for two threads at once.
        processes = [row for row in self._rows() if row.job == job.row.gpid]
        return await asyncio.to_thread(
            survey_job, job.row, processes, root_pid=job.root_pid, shim_pid=job.shim_pid
        )

    def _request(self, move: Move, survey: Survey, *, dry_run: bool) -> PrepareMigration:
        return PrepareMigration(
            job=move.row,
            source=self._node,
            criu=self._capability.version,
            uid=survey.uid,
            gid=survey.gid,
            cpu=self._capability.cpu,
            programs=survey.programs,
            image_bytes=survey.memory_bytes,
            files=survey.files,
            shared=tuple(item.path for item in survey.plan.shared),
            listening=survey.listening,
            dry_run=dry_run,
            live=move.live.value,
            lane=not dry_run and is_supported(),
        )

    def _checked(
        self, move: Move, here: tuple[str, ...], there: tuple[str, ...]
    ) -> MigrationChecked:
        return MigrationChecked(
            gpid=move.row.gpid,
            source=self._node,
            destination=move.destination,
            here=here,
            there=there,
        )
