"""One move, from the first look at it to what its user is told."""

from __future__ import annotations

import time
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

from nodeagent.job import Job
from nodeagent.migration.describe import description_of
from nodeagent.migration.imagelane import Lane
from nodeagent.migration.images import ImageManifest
from nodeagent.migration.plan import Item, Plan
from nodeagent.migration.transfer import Sent
from ssi.model.job import JobRow
from ssi.model.migration import Live
from ssi.protocol.migration import FileMeta, ImageLane, JobMigrated


@dataclass(slots=True, kw_only=True)
class Move:
    """One move as it goes on.

    Attributes:
        job: What moves.
        destination: Where to.
        row: The job as it will be there.
        images: Directory of its images, in memory.
        began_s: When, by the monotonic clock.
        frozen_s: Since when the job stands still.
        step: Of the hand-over, which is told where that fails.
        files: Data files as they were last described, by path.
        steady: Those whose size and time told of every change since; the others are read again
            once the job stands still.
        live: How much of its memory travels while it runs.
        is_free: That was not asked for, and may change.
        standing: Those of them that the destination has, the same.
        unpacks: The destination takes packed pieces.
        room_bytes: Of images that fit both here and there; 0: the destination takes no memory ahead
            of the others.
        rounds: Names of the images of memory that went ahead, in their order, each in a directory
            of its own within the images.
        ahead: What those hold.
        not_ahead: Why nothing went ahead where it should have; empty: it did, or should not.
        offer: Where the destination takes images that do not go over CURVE.
        lane: To there; None: there is none.
        image_bytes: Of its dump.
        carried: Of open files.
        sent: Of images.
        dump_ms: How long CRIU wrote images.
        send_ms: For how long sending went on after that.
        restore_ms: How long the destination took to restore them.
    """

    job: Job
    destination: str
    row: JobRow
    images: Path
    began_s: float = field(default_factory=time.monotonic)
    frozen_s: float = 0.0
    step: str = ""
    plan: Plan = field(default_factory=Plan)
    files: dict[str, FileMeta] = field(default_factory=dict)
    steady: Mapping[str, FileMeta] = field(default_factory=dict)
    live: Live = Live.STOP
    is_free: bool = False
    standing: frozenset[str] = frozenset()
    unpacks: bool = False
    room_bytes: int = 0
    rounds: list[str] = field(default_factory=list)
    ahead: ImageManifest = field(default_factory=ImageManifest)
    not_ahead: str = ""
    offer: ImageLane | None = None
    lane: Lane | None = None
    image_bytes: int = 0
    carried: Sent = field(default_factory=Sent)
    sent: Sent = field(default_factory=Sent)
    dump_ms: float = 0.0
    send_ms: float = 0.0
    restore_ms: float = 0.0

    @property
    def key(self) -> tuple[int, int]:
        """What names the move on both sides: first gpid and the epoch that it leads to."""
        return (self.row.gpid, self.row.epoch)

    @property
    def parent(self) -> str:
        """Of the next images: the last that went ahead; empty: none did."""
        return self.rounds[-1] if self.rounds else ""

    def told(self, resumed_s: float, ended_s: float, late_bytes: int = 0) -> JobMigrated:
        """What its user is told of it, now that it is done.

        Args:
            resumed_s: When the job ran again, by the monotonic clock.
            ended_s: When all of it was there.
            late_bytes: Of memory that came after it ran.
        """
        return JobMigrated(
            row=self.row,
            total_ms=(ended_s - self.began_s) * 1000,
            freeze_ms=(resumed_s - self.frozen_s) * 1000,
            image_bytes=self.image_bytes,
            carried_bytes=self.carried.size_bytes,
            files_carried=tuple(sorted(self.files)),
            sent_bytes=self.carried.link_bytes + self.sent.link_bytes,
            packed_bytes=self.carried.packed_bytes + self.sent.packed_bytes,
            dump_ms=self.dump_ms,
            send_ms=self.send_ms,
            restore_ms=self.restore_ms,
            late_bytes=late_bytes,
            early_bytes=self.ahead.size_bytes,
            rounds=len(self.rounds),
            not_ahead=self.not_ahead,
        )

    def absent(self) -> list[FileMeta]:
        """Data files that the destination did not have."""
        return [meta for path, meta in self.files.items() if path not in self.standing]

    def forget(self, paths: Set[str]) -> None:
        """These do not go along after all, or are looked at anew once the job stands still."""
        for path in paths:
            self.files.pop(path, None)
        self.steady = {path: meta for path, meta in self.steady.items() if path not in paths}

    def changed(self) -> list[Item]:
        """Files whose description may be out of date: written ones, and ones opened since.

        Raises:
            OSError: One cannot be looked at.
        """
        return [item for item in self.plan.files if description_of(item, self.steady) is None]
