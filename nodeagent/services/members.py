"""The gpids of one job's processes: given at first sight, kept for life, carried along on a move.

Inside its pid namespace a process keeps its pid when the job moves, so there the inner pid is its
identity; on one node the start time beside it tells a pid that was used again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ssi.model.gpid import Gpid
from ssi.protocol.refusals import SequenceBroken

_log = logging.getLogger(__name__)


class Member(NamedTuple):
    """A process of a job as the system names it.

    Attributes:
        gpid: Its name, for life.
        born_ms: Wall-clock time of its birth in milliseconds, wherever that was.
    """

    gpid: int
    born_ms: int


class Sighting(NamedTuple):
    """A process of a job as a scan of this node sees it.

    Attributes:
        inner_pid: Its pid inside the job.
        start_ticks: Its start on this node, since boot; after a move that of the restore.
        started_ms: The same as wall-clock time.
    """

    inner_pid: int
    start_ticks: int
    started_ms: int


class Membership:
    """Who belongs to a job. Decides only; the caller scans.

    Args:
        allocate: Gives a gpid that was never given before.
    """

    def __init__(self, allocate: Callable[[], Gpid]) -> None:
        self._allocate = allocate
        self._members: dict[int, Member] = {}
        self._start_ticks: dict[int, int] = {}
        """By inner pid; a member without an entry was adopted and not seen here yet."""

    def __repr__(self) -> str:
        return f"Membership({self._members})"

    def observe(self, seen: Iterable[Sighting], *, unsettled: bool = False) -> dict[int, Member]:
        """The members by inner pid after one whole scan: newcomers named, the gone forgotten.

        While a move of the job is ``unsettled`` none is forgotten: once its copy here was killed
        there is none to be seen, and it may be restored here all the same.

        A newcomer for whom no gpid can be had is left out, and tried again next time.

        An adopted member is taken for the process that has its inner pid at the first scan after;
        so scan once while a restored job still stands at its barrier.
        """
        members: dict[int, Member] = {}
        start_ticks: dict[int, int] = {}
        for sighting in seen:
            pid = sighting.inner_pid
            member = self._members.get(pid)
            if member is None or self._start_ticks.get(pid, sighting.start_ticks) != (
                sighting.start_ticks
            ):
                try:
                    member = Member(self._allocate(), sighting.started_ms)
                except SequenceBroken as exc:  # a full disk: the table of processes must go on
                    _log.error("event=unnamed inner_pid=%d reason=%s", pid, exc)
                    continue
            members[pid] = member
            start_ticks[pid] = sighting.start_ticks
        if unsettled:
            self._members.update(members)
            self._start_ticks.update(start_ticks)
        else:
            self._members, self._start_ticks = dict(members), start_ticks
        return members

    def export(self) -> tuple[tuple[int, int, int], ...]:
        """Inner pid, gpid and birth of each member as last observed, for the node it moves to."""
        return tuple((pid, member.gpid, member.born_ms) for pid, member in self._members.items())

    def adopt(self, members: Iterable[tuple[int, int, int]]) -> None:
        """Takes over what :meth:`export` gave elsewhere, in place of what was known.

        Also names the first process of a new job, before anybody has seen it; and starts over on
        the same node when a job was restored there from its images.
        """
        self._members = {pid: Member(gpid, born_ms) for pid, gpid, born_ms in members}
        self._start_ticks = {}

    def snapshot(self) -> tuple[tuple[int, int, int, int], ...]:
        """As :meth:`export`, with start ticks (0: not seen yet), for an agent after this one."""
        return tuple(
            (*exported, self._start_ticks.get(exported[0], 0)) for exported in self.export()
        )

    def recall(self, snapshot: Iterable[tuple[int, int, int, int]]) -> None:
        """Takes over a :meth:`snapshot` of this node, so that a pid used again since is noticed."""
        known = tuple(snapshot)
        self.adopt((pid, gpid, born_ms) for pid, gpid, born_ms, _ in known)
        self._start_ticks = {pid: ticks for pid, _, _, ticks in known if ticks}
