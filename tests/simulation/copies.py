"""The copies of one job, each in a shim that does what the real one does, and what must hold.

A running copy makes progress, a dumped one carries it along. So both ways to run a job twice show:
two copies that run at one time, and one that runs from a state that another has run beyond.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from nodeagent.shim import messages as m
from nodeagent.shim.stage import MAY_END, Stage, Step, next_stage
from ssi.model.shim import DumpFailed, RestoreFailed, WrongStage
from tests.simulation.world import Broken

_EPSILON_S = 1e-6


@dataclass(slots=True)
class Ledger:
    """All that the copies of the job did.

    Attributes:
        furthest_s: Progress of the job: for how long any copy ran.
        may_be_lost: Somebody died who had it, and nobody else could have gone on.
        clumsy: Share of dumps and restores that fail.
        on_deed: Hears of each dump, commit, restore and resume that begins.
    """

    random: Random
    now: Callable[[], float]
    furthest_s: float = 0.0
    may_be_lost: bool = False
    clumsy: float = 0.0
    shims: list[SimShim] = field(default_factory=list)
    on_deed: Callable[[SimShim], None] = lambda _shim: None
    told: list[str] = field(default_factory=list)

    def tell(self, what: str) -> None:
        self.told.append(f"{self.now() - 1_000_000:.2f} s: {what}")

    def running(self) -> list[SimShim]:
        return [shim for shim in self.shims if shim.since_s is not None]

    def start(self, shim: SimShim) -> None:
        """A copy runs.

        Raises:
            Broken: Another does, or has run beyond it.
        """
        self.tell(f"{shim} runs")
        others = self.running()
        if others:
            raise Broken(f"two copies run: {shim} and {others}")
        if shim.progress_s < self.furthest_s - _EPSILON_S:
            raise Broken(f"{shim} runs again what another copy has run")
        shim.since_s = self.now()

    def stop(self, shim: SimShim) -> None:
        """It runs no more."""
        if shim.since_s is not None:
            shim.progress_s += self.now() - shim.since_s
            self.furthest_s = max(self.furthest_s, shim.progress_s)
            shim.since_s = None

    def holders(self) -> list[SimShim]:
        """Shims without which the job would be lost."""
        kept = {Stage.RUNNING, Stage.DUMPED, Stage.COMMITTED}
        return [shim for shim in self.shims if shim.stage in kept]


_PAGES: Final = "pages-1.img"
_ALL: Final = "all"

_numbers = itertools.count(1)


def _is_whole(images: Path) -> bool:
    """Whether all memory is there: in the images, and in those that they leave some to."""
    try:
        while (since := (images / _PAGES).read_text()) != _ALL:
            images = (images / "parent").resolve()
            if images.name != since:
                return False
    except OSError:
        return False
    return True


@dataclass(eq=False, slots=True)
class SimShim:
    """A shim and its copy of the job."""

    ledger: Ledger
    node: str
    path: Path
    pledged: Callable[[], bool]
    stage: Stage = Stage.EMPTY
    doing: str = ""
    note: bytes = b""
    epoch: int = 1
    progress_s: float = 0.0
    since_s: float | None = None
    images: Path = Path()
    copied: Path | None = None
    """Where memory went ahead of it last; None: it is not known what was written to since."""
    copying: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    pid: int = field(default_factory=lambda: next(_numbers))

    def __post_init__(self) -> None:
        self.ledger.shims.append(self)

    def __repr__(self) -> str:
        return f"{self.node}/{self.epoch} ({self.stage}{', ' if self.doing else ''}{self.doing})"

    def die(self, *, killed: bool) -> None:
        """Ends, and its copy with it."""
        if self.gone.is_set():
            return
        self.ledger.stop(self)
        self.ledger.shims.remove(self)
        self.gone.set()
        if killed:
            self.ledger.tell(f"{self} dies")
            ready = [shim for shim in self.ledger.shims if shim.stage is Stage.READY]
            owned = self.stage in {Stage.RUNNING, Stage.DUMPED, Stage.COMMITTED}
            succeeded = self.pledged() and bool(ready)
            # One that dies as it is let run may have run, and nobody can tell.
            waking = self.stage is Stage.READY and self.doing != ""
            if (owned and not succeeded) or waking or not (self.ledger.holders() or ready):
                self.ledger.may_be_lost = True

    async def handle(self, body: m.RequestMessage) -> m.ReplyMessage:
        """As the shim does it, in about the time that it takes.

        Raises:
            SsiError: It cannot be done, or it went wrong.
        """
        match body:
            case m.SetNote():
                self.note = body.note
            case m.GetStatus():
                await asyncio.sleep(body.wait_ms / 1000)
                return self._status()
            case m.Release():
                if self.stage not in MAY_END or self.doing:
                    raise WrongStage(request="release", stage=self.doing or self.stage)
                self.die(killed=False)
            case m.StandByToDump():
                pass
            case m.CopyAhead() | m.Dump() | m.Thaw() | m.Commit():
                return await self._leave(body)
            case m.Restore():
                return await self._restore(body)
            case m.Resume():
                await self._resume()
                return m.Resumed(at_s=self.ledger.now())
            case m.RestoreHere():
                await self._restore_here()
                return self._status()
            case _:
                raise AssertionError(body)
        return m.Ok()

    async def _leave(self, body: m.CopyAhead | m.Dump | m.Thaw | m.Commit) -> m.ReplyMessage:
        match body:
            case m.CopyAhead():
                await self._copy(body)
            case m.Dump():
                return await self._dump(body)
            case m.Thaw():
                self._check(Step.THAW)
                if self.stage is not Stage.RUNNING:
                    self._take(Step.THAW)
            case m.Commit():
                await self._commit()
        return m.Ok()

    def _status(self) -> m.Status:
        root = self.pid + 1 if self.stage is Stage.RUNNING else 0
        return m.Status(
            stage=self.stage,
            shim_pid=self.pid,
            root_pid=root,
            note=self.note,
            epoch=self.epoch,
            copies_ahead=True,
        )

    def _check(self, step: Step) -> None:
        next_stage(self.stage, step)
        if self.doing:
            raise WrongStage(request=step, stage=f"{self.stage}, with {self.doing} under way")

    def _take(self, step: Step) -> None:
        self.stage = next_stage(self.stage, step)
        if self.stage is Stage.RUNNING and self.since_s is None:
            self.ledger.start(self)

    async def _work(self, doing: str, longest_s: float) -> bool:
        """Takes its time; tells whether it went well."""
        self.doing = doing
        self.ledger.on_deed(self)
        random = self.ledger.random
        await asyncio.sleep(random.choice([0.01, random.uniform(0.0, longest_s)]))
        self.doing = ""
        return random.random() >= self.ledger.clumsy

    async def _copy(self, body: m.CopyAhead) -> None:
        self._check_dump()
        self._write_since(Path(body.images), body.parent)
        self.copying, self.copied = True, None
        well = await self._work("a copy", 2.0)
        self.copying, self.doing = False, ""
        if not well or not Path(body.images).is_dir():
            raise DumpFailed(reason="made up")
        self.copied = Path(body.images)

    def _check_dump(self) -> None:
        self._check(Step.DUMP)
        if self.copying:
            raise WrongStage(request="dump", stage="running, with its memory being copied")

    def _write_since(self, images: Path, parent: str) -> None:
        """What was written to since ``parent``, as CRIU would: it knows of the last such alone."""
        since = (images / parent).resolve() if parent else None
        if since is not None and since != self.copied:
            raise Broken(
                f"{self} is asked for what was written to since {since}, not {self.copied}"
            )
        if not images.is_dir():
            raise DumpFailed(reason="made up")
        (images / _PAGES).write_text(since.name if since else _ALL)
        if parent:
            (images / "parent").symlink_to(parent)

    async def _dump(self, body: m.Dump) -> m.Dumped:
        self._check_dump()
        self.images = Path(body.images)
        if not await self._work("a dump", 2.0) or not self.images.is_dir():
            raise DumpFailed(reason="made up")
        self._write_since(self.images, body.parent)
        self.copied = None
        self._take(Step.DUMP)
        self.ledger.stop(self)
        return m.Dumped(
            state=repr(self.progress_s).encode(), freeze_started_s=self.ledger.now(), dump_ms=1.0
        )

    async def _commit(self) -> None:
        self._check(Step.COMMIT)
        if self.stage is not Stage.COMMITTED:
            await self._work("a commit", 0.2)
            self._take(Step.COMMIT)

    async def _restore(self, body: m.Restore) -> m.Ready:
        self._check(Step.RESTORE)
        whole = _is_whole(Path(body.images))
        if not await self._work("a restore", 2.0) or not whole:
            raise RestoreFailed(reason="made up")
        self._take(Step.RESTORE)
        self.progress_s, self.epoch = float(body.state), body.epoch
        return m.Ready(restore_ms=1.0, root_pid=self.pid + 1)

    async def _resume(self) -> None:
        self._check(Step.RESUME)
        if self.stage is Stage.RUNNING:
            return
        if await self._work("a resume", 0.2):
            self._take(Step.RESUME)
        else:
            self._take(Step.DROP)
            if not self.ledger.holders():
                self.ledger.may_be_lost = True
            raise RestoreFailed(reason="made up")

    async def _restore_here(self) -> None:
        self._check(Step.RESTORE_HERE)
        if not _is_whole(self.images):
            raise Broken(f"{self} has no images any more")
        if not await self._work("a restore", 2.0):
            raise RestoreFailed(reason="made up")
        self._take(Step.RESTORE_HERE)
