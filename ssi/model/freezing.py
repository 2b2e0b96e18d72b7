"""Why a job was not frozen."""

from __future__ import annotations

from dataclasses import dataclass

from ssi.model.errors import SsiError


@dataclass(eq=False, kw_only=True)
class CannotFreeze(SsiError):
    """The cgroup freezer of the node does not hold the job; it runs on."""

    word = "cannot-freeze"
    exit_code = 30
    gpid: int
    node: str
    reason: str

    def what(self) -> str:
        return f"job {self.gpid} cannot be frozen on {self.node}: {self.reason}"

    def advice(self) -> str:
        return "`ssi stop` stops it by a signal"
