"""Why a job's output and another's stdin cannot be joined, or are no more."""

from __future__ import annotations

from dataclasses import dataclass

from ssi.model.errors import SsiError


@dataclass(eq=False, kw_only=True)
class CannotJoin(SsiError):
    """A stream of a job cannot be one end of a pipe; nothing was changed."""

    word = "cannot-join"
    exit_code = 38
    gpid: int
    stream: str
    reason: str

    def what(self) -> str:
        return f"{self.stream} of job {self.gpid} cannot be joined: {self.reason}"


@dataclass(eq=False, kw_only=True)
class StreamLost(SsiError):
    """Bytes that a job wrote for another one are gone, before that had them."""

    word = "stream-lost"
    exit_code = 39
    gpid: int
    stream: str
    node: str
    reason: str

    def what(self) -> str:
        return f"{self.stream} of job {self.gpid} on {self.node} is lost: {self.reason}"

    def advice(self) -> str:
        return "whoever read it has not read all of it: start the pipeline again"
