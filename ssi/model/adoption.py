"""Why a process that ssi did not start did not become a job."""

from __future__ import annotations

from dataclasses import dataclass

from ssi.model.errors import SsiError


@dataclass(eq=False, kw_only=True)
class CannotAdopt(SsiError):
    """A process that ssi did not start cannot become a job; it was not touched."""

    word = "cannot-adopt"
    exit_code = 35
    gpid: int
    node: str
    blockers: list[str]

    def what(self) -> str:
        return f"{self.node}: {self.gpid} cannot become a job: {'; '.join(self.blockers)}"

    def advice(self) -> str:
        return "it was not touched"


@dataclass(eq=False, kw_only=True)
class AdoptionFailed(SsiError):
    """It was tried to make a job of a process, and came to nothing."""

    word = "adoption-failed"
    exit_code = 36
    gpid: int
    node: str
    reason: str

    def what(self) -> str:
        return f"{self.node}: no job was made of {self.gpid}: {self.reason}"
