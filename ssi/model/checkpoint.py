"""Checkpoints that are kept: what is told of them, and why one is not made or not restored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from ssi.model.errors import SsiError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class FilesRule(StrEnum):
    """What a restore does where a file that the job had open is not as it was."""

    SAME = "same"
    """It is refused."""
    REWIND = "rewind"
    """One that has only grown is cut back to its length at the checkpoint."""
    AS_IS = "as-is"
    """It is taken as it is; CRIU still wants the length that it had."""


class CheckpointRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A checkpoint as the node that keeps it shows it.

    Attributes:
        gpid: Of the job.
        epoch: That the job was in; only the latest can come back as the same job.
        made_ms: Wall-clock milliseconds.
        size_bytes: Of its images.
        kept: It outlives its job.
        problem: Why it cannot be restored; empty where nothing is known against it.
    """

    name: str
    node: str
    gpid: int = 0
    user: str = ""
    argv: tuple[str, ...] = ()
    epoch: int = 0
    made_ms: int = 0
    size_bytes: int = 0
    kept: bool = True
    problem: str = ""


def is_checkpoint_name(text: str) -> bool:
    """Whether a checkpoint may be called so: it is the name of a directory, too."""
    return _NAME.fullmatch(text) is not None


@dataclass(eq=False, kw_only=True)
class CannotCheckpoint(SsiError):
    """Something stands in the way of a checkpoint or a clone; the job was not touched."""

    word = "cannot-checkpoint"
    exit_code = 31
    gpid: int
    node: str
    blockers: list[str]

    def what(self) -> str:
        return f"{self.node}: job {self.gpid} cannot be dumped: {'; '.join(self.blockers)}"

    def advice(self) -> str:
        return "the job was not touched"


@dataclass(eq=False, kw_only=True)
class CheckpointFailed(SsiError):
    """A checkpoint was tried and nothing is left of it; the job runs on, unless it has ended.

    Attributes:
        has_ended: It has, meanwhile: somebody killed it, or it was at its end.
    """

    word = "checkpoint-failed"
    exit_code = 32
    gpid: int
    node: str
    reason: str
    has_ended: bool = False

    def what(self) -> str:
        return f"{self.node}: no checkpoint of job {self.gpid} was made: {self.reason}"

    def advice(self) -> str:
        return "it has ended; `ssi jobs` tells how" if self.has_ended else "it runs on as before"


@dataclass(eq=False, kw_only=True)
class CheckpointRefused(SsiError):
    """A checkpoint is not what its node signed, or not of a history that may go on."""

    word = "checkpoint-refused"
    exit_code = 33
    name: str
    node: str
    reason: str

    def what(self) -> str:
        return f"checkpoint {self.name} on {self.node} is not restored: {self.reason}"


@dataclass(eq=False, kw_only=True)
class CannotRestore(SsiError):
    """Something stands in the way of a checkpoint or a clone at the node where it is to run."""

    word = "cannot-restore"
    exit_code = 34
    name: str
    destination: str
    blockers: list[str]

    def what(self) -> str:
        return f"{self.name} cannot run on {self.destination}: {'; '.join(self.blockers)}"

    def advice(self) -> str:
        return "nothing was started"


@dataclass(eq=False, kw_only=True)
class CheckpointUnknown(SsiError):
    """No checkpoint has that name."""

    word = "checkpoint-unknown"
    exit_code = 8
    name: str

    def what(self) -> str:
        return f"there is no checkpoint {self.name!r}"

    def advice(self) -> str:
        return "`ssi checkpoints` shows them"


@dataclass(eq=False, kw_only=True)
class CheckpointStands(SsiError):
    """A checkpoint of that name is there already."""

    word = "checkpoint-stands"
    exit_code = 2
    name: str
    node: str

    def what(self) -> str:
        return f"{self.node} has a checkpoint {self.name!r} already"

    def advice(self) -> str:
        return f"choose another name, or `ssi checkpoints rm {self.name}`"
