"""What became of an action: done, not done, or unknown; nothing in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ssi.client.errors import DoorClosed
from ssi.model.errors import SsiError
from ssi.model.migration import MigrationInDoubt
from ssi.model.shim import ShimSilent
from ssi.protocol.refusals import LinkDown, NodeDown, TimedOut
from ssi.view.text import plain
from tui.model.parts import Tone

_SILENT: Final = (TimedOut, NodeDown, LinkDown, DoorClosed, ShimSilent, MigrationInDoubt)


class Fate(StrEnum):
    """How sure one can be."""

    DONE = "done"
    NOT_DONE = "not done"
    UNKNOWN = "unknown"


_TONES: Final = {Fate.DONE: Tone.GOOD, Fate.NOT_DONE: Tone.BAD, Fate.UNKNOWN: Tone.ALARM}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one thing that was asked for.

    Attributes:
        what: For instance ``TERM to 20000042 (sleep) on n2``.
        detail: Why not, or what it took.
    """

    what: str
    fate: Fate
    detail: str = ""

    @property
    def tone(self) -> Tone:
        """How it is shown."""
        return _TONES[self.fate]

    def text(self) -> str:
        """One line for a person."""
        detail = f": {self.detail}" if self.detail else ""
        return plain(f"{self.what}: {self.fate.value}{detail}")


def failed(what: str, error: SsiError) -> Outcome:
    """The outcome of what ended in an error: who does not answer may have done it."""
    fate = Fate.UNKNOWN if isinstance(error, _SILENT) else Fate.NOT_DONE
    return Outcome(what=what, fate=fate, detail=error.what())


def summed_up(deed: str, outcomes: Sequence[Outcome]) -> Outcome:
    """One line for many: the worst of them decides, and the first bad one is told."""
    if len(outcomes) == 1:
        return outcomes[0]
    for fate in (Fate.UNKNOWN, Fate.NOT_DONE):
        bad = [outcome for outcome in outcomes if outcome.fate is fate]
        if bad:
            counts = ", ".join(
                f"{count} {each.value}"
                for each in Fate
                if (count := sum(outcome.fate is each for outcome in outcomes))
            )
            detail = f"{counts}; {bad[0].what}: {bad[0].detail}"
            return Outcome(what=f"{deed} to {len(outcomes)}", fate=fate, detail=detail)
    return Outcome(what=f"{deed} to {len(outcomes)} processes", fate=Fate.DONE)
