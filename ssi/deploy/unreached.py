"""Why a host could not be reached, or does not let us in: each reason with its next step."""

from __future__ import annotations

from dataclasses import dataclass

from ssi.model.errors import SsiError

UNREACHED = 50
"""Exit code where a host could not be reached or logged in to."""


@dataclass(eq=False, kw_only=True)
class HostUnknown(SsiError):
    """Nothing on this machine knows where a host of that name is."""

    word = "host-unknown"
    exit_code = UNREACHED
    host: str
    reason: str

    def what(self) -> str:
        return f"{self.host}: this name is not known here ({self.reason})"

    def advice(self) -> str:
        return "check its spelling, or name its address in ~/.ssh/config"


@dataclass(eq=False, kw_only=True)
class ConnectFailed(SsiError):
    """No TCP connection to a host's SSH port."""

    word = "connect-failed"
    exit_code = UNREACHED
    host: str
    address: str
    port: int
    reason: str

    def what(self) -> str:
        return f"{self.host}: no connection to {self.address} port {self.port}: {self.reason}"

    def advice(self) -> str:
        return f"see whether `ssh {self.host}` works"


@dataclass(eq=False, kw_only=True)
class HostSilent(SsiError):
    """A host was reached and then did not answer in time."""

    word = "host-silent"
    exit_code = UNREACHED
    host: str
    step: str
    after_s: float

    def what(self) -> str:
        return f"{self.host}: no answer to {self.step} within {self.after_s:.0f} s"

    def advice(self) -> str:
        return "the host or the network to it hangs; `ssi up --retry` tries again"


@dataclass(eq=False, kw_only=True)
class SshBroke(SsiError):
    """The SSH connection ended or the server said something that cannot be."""

    word = "ssh-broke"
    exit_code = UNREACHED
    host: str
    reason: str

    def what(self) -> str:
        return f"{self.host}: the SSH connection broke: {self.reason}"

    def advice(self) -> str:
        return f"see whether `ssh {self.host}` works; `ssi up --retry` tries again"


@dataclass(eq=False, kw_only=True)
class HostKeyUnknown(SsiError):
    """A host's key was never seen before, and nobody was there to be asked."""

    word = "host-key-unknown"
    exit_code = UNREACHED
    host: str
    algorithm: str
    fingerprint: str

    def what(self) -> str:
        return f"{self.host}: unknown host key {self.algorithm} {self.fingerprint}"

    def advice(self) -> str:
        return (
            "compare it with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_*.pub) and run "
            "`ssi up` on a terminal, or with --accept-new if you trust the network"
        )


@dataclass(eq=False, kw_only=True)
class HostKeyChanged(SsiError):
    """A host shows another key than the one on file."""

    word = "host-key-changed"
    exit_code = UNREACHED
    host: str
    algorithm: str
    expected: str
    shown: str
    where: str

    def what(self) -> str:
        return (
            f"{self.host}: its host key has CHANGED: {self.where} has {self.expected}, the host "
            f"shows {self.algorithm} {self.shown}"
        )

    def advice(self) -> str:
        return (
            "somebody may be in between; only if you know why it changed: "
            f"ssh-keygen -R {self.host}, then `ssi up` again"
        )


@dataclass(eq=False, kw_only=True)
class HostKeyRevoked(SsiError):
    """A host shows a key that a known_hosts file revokes."""

    word = "host-key-revoked"
    exit_code = UNREACHED
    host: str
    fingerprint: str
    where: str

    def what(self) -> str:
        return f"{self.host}: its host key {self.fingerprint} is revoked by {self.where}"

    def advice(self) -> str:
        return "do not connect until the host has a new key"


@dataclass(eq=False, kw_only=True)
class LoginRefused(SsiError):
    """A host takes none of the keys that were offered."""

    word = "login-refused"
    exit_code = UNREACHED
    host: str
    user: str
    offered: list[str]

    def what(self) -> str:
        keys = ", ".join(self.offered) or "none: no agent, no readable key file"
        return f"{self.host}: permission denied (publickey) for {self.user}; keys offered: {keys}"

    def advice(self) -> str:
        return f"`ssh-copy-id {self.host}`, or `ssh-add` a key that it knows"
