"""What shims and keepers refuse, what they fail at, and that they do not answer."""

from __future__ import annotations

from dataclasses import dataclass

from ssi.model.errors import SsiError


@dataclass(eq=False, kw_only=True)
class DumpFailed(SsiError):
    """No images were made; the job runs on where it was."""

    word = "dump-failed"
    exit_code = 20
    reason: str

    def what(self) -> str:
        return f"the job cannot be dumped: {self.reason}"

    def advice(self) -> str:
        return "it runs on where it was"


@dataclass(eq=False, kw_only=True)
class RestoreFailed(SsiError):
    """The images did not become a running job; nothing of it is left in that shim."""

    word = "restore-failed"
    exit_code = 21
    reason: str

    def what(self) -> str:
        return f"the job cannot be restored: {self.reason}"


@dataclass(eq=False, kw_only=True)
class NotMovable(SsiError):
    """Jobs of this agent cannot move, whatever they are."""

    word = "not-movable"
    exit_code = 22
    reason: str

    def what(self) -> str:
        return f"the job cannot move: {self.reason}"


@dataclass(eq=False, kw_only=True)
class WrongStage(SsiError):
    """The job is not at a point of its life where that can be done."""

    word = "wrong-stage"
    exit_code = 23
    request: str
    stage: str

    def what(self) -> str:
        return f"a job that is {self.stage} does not take {self.request!r}"


@dataclass(eq=False, kw_only=True)
class ShimFailed(SsiError):
    """A shim could not be made, or broke."""

    word = "shim-failed"
    exit_code = 24
    reason: str

    def what(self) -> str:
        return f"the shim failed: {self.reason}"

    def advice(self) -> str:
        return "shim.log in the job's runtime directory on that node tells more"


@dataclass(eq=False, kw_only=True)
class ShimGone(SsiError):
    """A shim or keeper does not answer: it ended, or was killed and its job with it."""

    word = "shim-gone"
    path: str
    reason: str

    def what(self) -> str:
        return f"nobody answers at {self.path}: {self.reason}"

    def advice(self) -> str:
        return "`ssi jobs` shows what became of the job"


@dataclass(eq=False, kw_only=True)
class ShimSilent(SsiError):
    """A shim or keeper did not answer in time. It lives, and so may what it holds."""

    word = "shim-silent"
    exit_code = 124
    path: str
    request: str
    after_s: float

    def what(self) -> str:
        return f"nobody answered {self.request} at {self.path} within {self.after_s:.0f} s"

    def advice(self) -> str:
        return "whether it was done is unknown: look at `ssi jobs` before trying again"
