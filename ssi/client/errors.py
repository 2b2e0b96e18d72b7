"""What can go wrong between a face and the system."""

from __future__ import annotations

from dataclasses import dataclass

from ssi.model.errors import SsiError


@dataclass(eq=False, kw_only=True)
class NoSystem(SsiError):
    """There is no agent on this machine and nothing was deployed from it."""

    word = "no-system"
    exit_code = 12

    def what(self) -> str:
        return "this machine belongs to no system yet"

    def advice(self) -> str:
        return "`ssi up HOST...` makes one of the hosts you name; `ssi lab up` makes hosts to try"


@dataclass(eq=False, kw_only=True)
class DoorClosed(SsiError):
    """The agent of this machine does not answer at its door."""

    word = "door-closed"
    exit_code = 12
    path: str
    reason: str

    def what(self) -> str:
        return f"the agent of this machine does not answer at {self.path}: {self.reason}"

    def advice(self) -> str:
        return "`ssi up` starts it again"


@dataclass(eq=False, kw_only=True)
class PartialAnswer(SsiError):
    """Some nodes answered, others did not."""

    word = "partial-answer"
    exit_code = 4
    nodes: str
    reason: str
    missing: str

    def what(self) -> str:
        return f"{self.nodes}: {self.reason}; {self.missing}"


@dataclass(eq=False, kw_only=True)
class NoNodeFits(SsiError):
    """No node that lives can take a job."""

    word = "no-node-fits"
    exit_code = 4
    detail: str

    def what(self) -> str:
        return f"no node can take the job: {self.detail}"

    def advice(self) -> str:
        return "`ssi nodes` shows their states"


@dataclass(eq=False, kw_only=True)
class NotRun(SsiError):
    """A command was not begun on a node: others had failed, or it was interrupted."""

    word = "not-run"
    exit_code = 125
    node: str
    reason: str

    def what(self) -> str:
        return f"{self.node}: left out, {self.reason}"


@dataclass(eq=False, kw_only=True)
class RanTooLong(SsiError):
    """A command took longer than `--timeout` allows, and was ended."""

    word = "ran-too-long"
    exit_code = 124
    node: str
    after_s: float

    def what(self) -> str:
        return f"{self.node}: the command took longer than {self.after_s:g} s and was ended"


@dataclass(eq=False, kw_only=True)
class NotTold(SsiError):
    """A signal for a command on a node was not taken there: the node does not answer."""

    word = "not-told"
    exit_code = 4
    node: str
    signal: str

    def what(self) -> str:
        return f"{self.node} does not answer, so {self.signal} may not have reached what runs there"

    def advice(self) -> str:
        return "it gets SIGHUP when its lease is over"


@dataclass(eq=False, kw_only=True)
class JobLost(SsiError):
    """What held a job died, and the job with it; how the command ended is not known."""

    word = "job-lost"
    gpid: int
    node: str
    reason: str

    def what(self) -> str:
        return f"job {self.gpid} on {self.node} is lost: {self.reason}"
