"""What can go wrong with a lab, as errors that say what failed and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from ssi.model.errors import SsiError


@dataclass(eq=False, kw_only=True)
class LabUnavailableError(SsiError):
    """This machine cannot hold a lab: it lacks a right, a program or a kernel feature."""

    word = "lab-unavailable"
    exit_code = 40
    missing: list[str]
    remedy: str

    def what(self) -> str:
        return f"this machine cannot hold a lab: {', '.join(self.missing)}"

    def advice(self) -> str:
        return self.remedy


@dataclass(eq=False, kw_only=True)
class LabUnknownError(SsiError):
    """No lab of that name exists on this machine."""

    word = "lab-unknown"
    exit_code = 41
    lab: str
    known: list[str]

    def what(self) -> str:
        return f"there is no lab called {self.lab!r}"

    def advice(self) -> str:
        if self.known:
            return f"labs on this machine: {', '.join(self.known)}"
        return f"try `ssi lab up --name {self.lab}`"


@dataclass(eq=False, kw_only=True)
class LabHostUnknownError(SsiError):
    """The lab has no host of that name."""

    word = "lab-host-unknown"
    exit_code = 42
    lab: str
    host: str
    size: int

    def what(self) -> str:
        return f"the lab {self.lab!r} has no host {self.host!r}"

    def advice(self) -> str:
        return f"its hosts are n1 to n{self.size}"


@dataclass(eq=False, kw_only=True)
class LabHostDownError(SsiError):
    """The host is not running, so nothing can be done inside it."""

    word = "lab-host-down"
    exit_code = 43
    lab: str
    host: str

    def what(self) -> str:
        return f"the host {self.host} of the lab {self.lab!r} is not running"

    def advice(self) -> str:
        return f"`ssi lab up --name {self.lab}` boots it again, with its disk kept"


@dataclass(eq=False, kw_only=True)
class LabBootError(SsiError):
    """A host did not come up."""

    word = "lab-boot-failed"
    exit_code = 44
    lab: str
    host: str
    reason: str

    def what(self) -> str:
        return f"the host {self.host} of the lab {self.lab!r} did not boot: {self.reason}"

    def advice(self) -> str:
        return f"`ssi lab down --name {self.lab}` removes what is left of it"


@dataclass(eq=False, kw_only=True)
class LabImageError(SsiError):
    """The Debian root that all hosts share could not be made."""

    word = "lab-image-failed"
    exit_code = 45
    reason: str
    log: str

    def what(self) -> str:
        return f"the lab's Debian root could not be made: {self.reason}"

    def advice(self) -> str:
        return f"it needs the Debian mirrors once; the whole log is in {self.log}"


@dataclass(eq=False, kw_only=True)
class LabConflictError(SsiError):
    """The request contradicts the lab that exists, or something else on this machine."""

    word = "lab-conflict"
    exit_code = 46
    text: str
    hint: str = ""

    def what(self) -> str:
        return self.text

    def advice(self) -> str:
        return self.hint


@dataclass(eq=False, kw_only=True)
class LabStepError(SsiError):
    """A step on this machine failed or did not end in time."""

    word = "lab-step-failed"
    exit_code = 47
    step: str
    reason: str

    def what(self) -> str:
        return f"{self.step} failed: {self.reason}"

    def advice(self) -> str:
        return "`ssi lab status` shows what exists; `ssi lab down` removes it"
