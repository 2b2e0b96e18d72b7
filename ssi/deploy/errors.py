"""Why a host that was reached is no node, or still is one: each reason with its next step."""

from __future__ import annotations

from dataclasses import dataclass

from ssi.model.errors import SsiError

NOT_SUITED = 51
"""Exit code where a host was reached, and lacks something."""

BUSY = 53
"""Exit code where another deployment was at work for too long."""


@dataclass(eq=False, kw_only=True)
class NoPython(SsiError):
    """A host has no python3."""

    word = "no-python"
    exit_code = NOT_SUITED
    host: str

    def what(self) -> str:
        return f"{self.host}: it has no python3"

    def advice(self) -> str:
        return "install Python 3.11 or newer there (apt install python3, dnf install python3.12)"


@dataclass(eq=False, kw_only=True)
class PythonTooOld(SsiError):
    """A host's newest python3 is older than ssi needs."""

    word = "python-too-old"
    exit_code = NOT_SUITED
    host: str
    found: str
    needed: str

    def what(self) -> str:
        return f"{self.host}: its Python is {self.found}, ssi needs {self.needed} or newer"

    def advice(self) -> str:
        return "install a newer one beside it, as python3.12; it is found by that name"


@dataclass(eq=False, kw_only=True)
class NoWheel(SsiError):
    """A library has no build for a host's Python and machine, or none can be fetched."""

    word = "no-wheel"
    exit_code = NOT_SUITED
    package: str
    platform: str
    reason: str

    def what(self) -> str:
        return f"no wheel of {self.package} for {self.platform}: {self.reason}"

    def advice(self) -> str:
        return "check that pip reaches a package index from here, or use another Python there"


@dataclass(eq=False, kw_only=True)
class BundleIncomplete(SsiError):
    """This installation lacks files that nodes need."""

    word = "bundle-incomplete"
    package: str
    reason: str

    def what(self) -> str:
        return f"the files of {self.package} cannot be bundled: {self.reason}"

    def advice(self) -> str:
        return "install ssi again with pip or uv"


@dataclass(eq=False, kw_only=True)
class DiskFull(SsiError):
    """A host's disk has no room for the bundle."""

    word = "disk-full"
    exit_code = NOT_SUITED
    host: str
    path: str
    needed_bytes: int
    free_bytes: int

    def what(self) -> str:
        return (
            f"{self.host}: its disk is full: {self.free_bytes / 1e6:.1f} MB free at {self.path}, "
            f"{self.needed_bytes / 1e6:.1f} MB needed"
        )

    def advice(self) -> str:
        return "make room there, then `ssi up --retry`"


@dataclass(eq=False, kw_only=True)
class BundleDamaged(SsiError):
    """What arrived at a host is not what was sent."""

    word = "bundle-damaged"
    host: str
    reason: str

    def what(self) -> str:
        return f"{self.host}: the bundle did not arrive whole: {self.reason}"

    def advice(self) -> str:
        return "nothing of it is used; `ssi up --retry` sends it again"


@dataclass(eq=False, kw_only=True)
class HostBusy(SsiError):
    """Another deployment works on the same host."""

    word = "host-busy"
    exit_code = BUSY
    host: str
    holder: str
    after_s: float

    def what(self) -> str:
        return f"{self.host}: another deployment ({self.holder}) held it for {self.after_s:.0f} s"

    def advice(self) -> str:
        return "let it end, then `ssi up --retry`"


@dataclass(eq=False, kw_only=True)
class HostTwice(SsiError):
    """Two names lead to one machine."""

    word = "host-twice"
    exit_code = 2
    host: str
    node: str

    def what(self) -> str:
        other = f"the node {self.node}" if self.node else "another host that was named"
        return f"{self.host}: this machine is {other} already"

    def advice(self) -> str:
        return "name it once; to rename a node, `ssi down` it by its old name first"


@dataclass(eq=False, kw_only=True)
class ForeignSystem(SsiError):
    """A host is a node of a system that was deployed from elsewhere."""

    word = "foreign-system"
    exit_code = 10
    host: str

    def what(self) -> str:
        return f"{self.host}: it is a node of another system"

    def advice(self) -> str:
        return f"`ssi down {self.host}` takes it out of that system, then `ssi up` again"


@dataclass(eq=False, kw_only=True)
class DeployerBusy(SsiError):
    """Another `ssi up` or `ssi down` of this user runs."""

    word = "deployer-busy"
    exit_code = BUSY
    holder: str
    after_s: float

    def what(self) -> str:
        return f"another deployment runs here ({self.holder}), after {self.after_s:.0f} s still"

    def advice(self) -> str:
        return "let it end, then try again"


@dataclass(eq=False, kw_only=True)
class OutOfTime(SsiError):
    """The time that `--timeout` gave was over before a host or a lab was through."""

    word = "out-of-time"
    exit_code = 124
    host: str
    doing: str
    after_s: float
    again: str

    def what(self) -> str:
        return f"{self.host}: not done within {self.after_s:g} s; it was at: {self.doing}"

    def advice(self) -> str:
        return f"what was begun is safe to repeat: `{self.again}` finishes it"


@dataclass(eq=False, kw_only=True)
class AgentNotReady(SsiError):
    """An agent was started and did not get ready."""

    word = "agent-not-ready"
    exit_code = NOT_SUITED
    host: str
    after_s: float
    log: str

    def what(self) -> str:
        last = f"; its log ends: {self.log}" if self.log else ""
        return f"{self.host}: its agent was not ready within {self.after_s:.0f} s{last}"

    def advice(self) -> str:
        return f"see agent.log and keeper.log there; `ssi up {self.host}` tries again"


@dataclass(eq=False, kw_only=True)
class PortBlocked(SsiError):
    """An agent runs, but its port cannot be reached from here."""

    word = "port-blocked"
    exit_code = NOT_SUITED
    host: str
    address: str
    port: int
    reason: str

    def what(self) -> str:
        return (
            f"{self.host}: its agent runs, but port {self.port} of {self.address} cannot be "
            f"reached from here: {self.reason}"
        )

    def advice(self) -> str:
        return "let this port through its firewall, then `ssi up --retry`"


@dataclass(eq=False, kw_only=True)
class RemoteStepFailed(SsiError):
    """A step on a host failed in a way that has no class of its own."""

    word = "remote-step-failed"
    exit_code = NOT_SUITED
    host: str
    step: str
    reason: str

    def what(self) -> str:
        return f"{self.host}: {self.step} failed: {self.reason}"

    def advice(self) -> str:
        return f"`ssh {self.host}` lets you look; `ssi up --retry` tries again"


@dataclass(eq=False, kw_only=True)
class JobsRunning(SsiError):
    """Jobs would end with the agents."""

    word = "jobs-running"
    exit_code = 52
    jobs: int
    nodes: str

    def what(self) -> str:
        noun = "job runs" if self.jobs == 1 else "jobs run"
        return f"{self.jobs} {noun} on {self.nodes} and would be killed"

    def advice(self) -> str:
        return "`ssi jobs` shows them; `ssi down --force` ends them too"


@dataclass(eq=False, kw_only=True)
class LeftBehind(SsiError):
    """Something of ssi is still on a host after it was taken down."""

    word = "left-behind"
    host: str
    left: list[str]

    def what(self) -> str:
        return f"{self.host}: not everything could be removed: {', '.join(self.left)}"

    def advice(self) -> str:
        return f"`ssi down {self.host}` tries again"
