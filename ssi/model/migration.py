"""Why a job did not move."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ssi.model.errors import SsiError


class Live(StrEnum):
    """How much of a job's memory travels while the job runs."""

    STOP = "stop"
    """None: it is stopped, copied and resumed."""
    PRE = "pre"
    """Most of it, beforehand at the source: what is written to meanwhile goes again."""
    POST = "post"
    """Nearly all of it, afterwards at the destination: a job that touches what has not come waits,
    and is lost if its source is."""


@dataclass(eq=False, kw_only=True)
class CannotMigrate(SsiError):
    """Something stands in the way; the job was not touched."""

    word = "cannot-migrate"
    exit_code = 26
    gpid: int
    destination: str
    blockers: list[str]

    def what(self) -> str:
        return f"job {self.gpid} cannot move to {self.destination}: {'; '.join(self.blockers)}"

    def advice(self) -> str:
        return "the job was not touched"


@dataclass(eq=False, kw_only=True)
class MigrationFailed(SsiError):
    """It was tried and undone; the job runs on at its source, unless it has ended there.

    Attributes:
        has_ended: It has, meanwhile: somebody killed it, or it was at its end.
    """

    word = "migration-failed"
    exit_code = 27
    gpid: int
    source: str
    destination: str
    step: str
    reason: str
    has_ended: bool = False

    def what(self) -> str:
        return (
            f"job {self.gpid} did not move from {self.source} to {self.destination}: "
            f"{self.step}: {self.reason}"
        )

    def advice(self) -> str:
        if self.has_ended:
            return f"it has ended at {self.source}; `ssi jobs` tells how"
        return f"it runs on at {self.source}"


@dataclass(eq=False, kw_only=True)
class MigrationLost(SsiError):
    """A job that ran before all of its memory had come was killed, because the rest cannot come."""

    word = "migration-lost"
    exit_code = 37
    gpid: int
    source: str
    destination: str
    reason: str

    def what(self) -> str:
        return (
            f"job {self.gpid} was lost between {self.source} and {self.destination}, before all "
            f"of its memory had come: {self.reason}"
        )

    def advice(self) -> str:
        return "it was killed; without --live post a move cannot lose a job that way"


@dataclass(eq=False, kw_only=True)
class MigrationInDoubt(SsiError):
    """The destination fell silent after it was given the job."""

    word = "migration-in-doubt"
    exit_code = 28
    gpid: int
    source: str
    destination: str
    silent_s: float

    def what(self) -> str:
        return (
            f"job {self.gpid} was given to {self.destination}, which has been silent for "
            f"{self.silent_s:.0f} s since"
        )

    def advice(self) -> str:
        return (
            f"{self.source} keeps its images and asks on: when {self.destination} answers, the job "
            f"runs on where it is, or at {self.source}; where it will never come back, "
            f"`ssi down --forget {self.destination}` says so"
        )


@dataclass(eq=False, kw_only=True)
class ReturnFailed(SsiError):
    """The destination lost it after the commit, and its source cannot restore it yet."""

    word = "return-failed"
    exit_code = 28
    gpid: int
    source: str
    destination: str
    reason: str

    def what(self) -> str:
        return (
            f"job {self.gpid} was lost by {self.destination} after the commit, and cannot be "
            f"restored at {self.source}: {self.reason}"
        )

    def advice(self) -> str:
        return (
            f"{self.source} keeps its images and tries again, each half minute at least; "
            f"`ssi kill -s KILL {self.gpid}` gives it up"
        )


@dataclass(eq=False, kw_only=True)
class LostOnTheWay(SsiError):
    """What held it died on both sides of a move."""

    word = "lost-on-the-way"
    exit_code = 31
    gpid: int
    source: str
    destination: str

    def what(self) -> str:
        return f"job {self.gpid} was lost on its way from {self.source} to {self.destination}"

    def advice(self) -> str:
        return "what held it died on both sides at one time; `ssi jobs` shows it as lost"


@dataclass(eq=False, kw_only=True)
class FileConflict(SsiError):
    """A file of the job cannot be at its path on the destination."""

    word = "file-conflict"
    exit_code = 25
    node: str
    path: str
    reason: str

    def what(self) -> str:
        return f"{self.node}: {self.path}: {self.reason}"

    def advice(self) -> str:
        return "move it out of the way there, or choose another node"
