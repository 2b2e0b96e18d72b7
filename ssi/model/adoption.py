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
    """It was tried to make a job of a process, and came to nothing, or to nothing yet.

    Attributes:
        job: Its gpid, where it has been given to ``destination`` and is to run there; or 0.
    """

    word = "adoption-failed"
    exit_code = 36
    gpid: int
    node: str
    reason: str
    job: int = 0
    destination: str = ""

    def what(self) -> str:
        if self.job:
            deed = f"{self.gpid} was given to {self.destination} as job {self.job}, and killed here"
            return f"{self.node}: {deed}; it is not known to run there yet: {self.reason}"
        return f"{self.node}: no job was made of {self.gpid}: {self.reason}"

    def advice(self) -> str:
        if self.job:
            return f"it runs once {self.destination} can be reached; `ssi jobs` shows it then"
        return super().advice()
