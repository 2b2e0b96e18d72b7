"""What an agent refuses with: the errors that cross the wire and that every side knows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ssi.model.errors import SsiError


@dataclass(eq=False, kw_only=True)
class NodeUnknown(SsiError):
    """No node has that name."""

    word = "node-unknown"
    exit_code = 2
    node: str
    known: str = ""

    def what(self) -> str:
        return f"no node is called {self.node!r}"

    def advice(self) -> str:
        if not self.known:
            return "there is no node yet: `ssi up HOST` makes one"
        return f"the nodes are {self.known}"


@dataclass(eq=False, kw_only=True)
class NodeDown(SsiError):
    """The node does not answer, and its neighbours think it is gone."""

    word = "node-down"
    exit_code = 4
    node: str
    silent_s: float

    def what(self) -> str:
        if math.isinf(self.silent_s):
            return f"{self.node} has never answered"
        return f"{self.node} does not answer (silent for {self.silent_s:.0f} s)"

    def advice(self) -> str:
        return f"`ssi nodes` shows its state; `ssi up {self.node}` starts its agent again"


@dataclass(eq=False, kw_only=True)
class LinkDown(SsiError):
    """There is no connection to a node now."""

    word = "link-down"
    exit_code = 4
    node: str
    reason: str

    def what(self) -> str:
        return f"{self.node} cannot be reached: {self.reason}"

    def advice(self) -> str:
        return f"check the network to it, then `ssi up {self.node}`"


@dataclass(eq=False, kw_only=True)
class LinkRefused(SsiError):
    """A node answers, but the keys do not fit."""

    word = "link-refused"
    exit_code = 5
    node: str
    reason: str

    def what(self) -> str:
        return f"{self.node} refused the connection: {self.reason}"

    def advice(self) -> str:
        return f"`ssi up {self.node}` exchanges keys again over SSH"


@dataclass(eq=False, kw_only=True)
class TimedOut(SsiError):
    """No answer came in time; whether it was done is not known."""

    word = "timed-out"
    exit_code = 124
    node: str
    request: str
    after_s: float

    def what(self) -> str:
        return f"{self.node} did not answer {self.request} within {self.after_s:.1f} s"

    def advice(self) -> str:
        return (
            "whether it was done is unknown: look at `ssi nodes` and `ssi ps` before trying again"
        )


@dataclass(eq=False, kw_only=True)
class Overloaded(SsiError):
    """A queue is full."""

    word = "overloaded"
    exit_code = 6
    node: str
    queue: str

    def what(self) -> str:
        return f"{self.node} is overloaded: its {self.queue} is full"

    def advice(self) -> str:
        return "try again in a moment, with fewer requests at a time"


@dataclass(eq=False, kw_only=True)
class NotPermitted(SsiError):
    """The caller may not do this."""

    word = "not-permitted"
    exit_code = 7
    node: str
    user: str
    deed: str

    def what(self) -> str:
        return f"{self.node}: user {self.user} may not {self.deed}"

    def advice(self) -> str:
        return "its owner or root may"


@dataclass(eq=False, kw_only=True)
class UserUnknown(SsiError):
    """The caller has no account on the node."""

    word = "user-unknown"
    exit_code = 7
    node: str
    user: str

    def what(self) -> str:
        return f"{self.node} has no account for user {self.user}"

    def advice(self) -> str:
        return f"make one there (adduser {self.user}), or choose another node"


@dataclass(eq=False, kw_only=True)
class NoSuchProcess(SsiError):
    """No process has that gpid (any more)."""

    word = "no-such-process"
    exit_code = 8
    gpid: int
    detail: str = ""

    def what(self) -> str:
        return f"no process has gpid {self.gpid}{f' ({self.detail})' if self.detail else ''}"

    def advice(self) -> str:
        return "`ssi ps` shows those that live, `ssi jobs` also jobs that ended"


@dataclass(eq=False, kw_only=True)
class NotAJob(SsiError):
    """The process lives, but ssi did not start it."""

    word = "not-a-job"
    exit_code = 8
    gpid: int
    node: str

    def what(self) -> str:
        return f"{self.gpid} on {self.node} is no job of ssi"

    def advice(self) -> str:
        return f"`ssi adopt {self.gpid}` makes a job of it, or tells by name why that cannot be"


@dataclass(eq=False, kw_only=True)
class JobMoved(SsiError):
    """The job was here and went to another node."""

    word = "job-moved"
    exit_code = 8
    gpid: int
    node: str

    def what(self) -> str:
        return f"job {self.gpid} has moved to {self.node}"

    def advice(self) -> str:
        return "ask there"


@dataclass(eq=False, kw_only=True)
class JobStandsStill(SsiError):
    """The job is being moved or kept: what was done to it now would be lost."""

    word = "job-stands-still"
    exit_code = 23
    gpid: int
    node: str
    destination: str = ""
    given_up: bool = False

    def what(self) -> str:
        how = f"is on its way to {self.destination}" if self.destination else "stands still"
        if self.given_up:
            how = f"was given to {self.destination}, which does not say whether it runs"
        return f"job {self.gpid} on {self.node} {how}: nothing was done to it"

    def advice(self) -> str:
        if self.given_up:
            return f"see what is with {self.destination}; `ssi jobs` shows the job once it is known"
        return "try again once it goes on; `ssi kill -s KILL` ends it even now"


@dataclass(eq=False, kw_only=True)
class NotServed(SsiError):
    """The agent does not serve such requests."""

    word = "not-served"
    exit_code = 9
    node: str
    request: str
    reason: str = ""

    def what(self) -> str:
        return (
            f"{self.node} does not serve {self.request}{f': {self.reason}' if self.reason else ''}"
        )

    def advice(self) -> str:
        return "`ssi nodes -o wide` tells what each node can do"


@dataclass(eq=False, kw_only=True)
class SequenceBroken(SsiError):
    """The file of the sequence cannot be read, so any number might be one given before."""

    word = "sequence-broken"
    path: str
    reason: str

    def what(self) -> str:
        return f"no new job can be named: {self.path}: {self.reason}"

    def advice(self) -> str:
        return "`ssi down` and `ssi up` give this machine a new node number and an empty sequence"


@dataclass(eq=False, kw_only=True)
class AgentFailed(SsiError):
    """A handler broke: a bug of ours."""

    word = "agent-failed"
    node: str
    request: str
    reason: str

    def what(self) -> str:
        return f"{self.node} broke on {self.request}: {self.reason}"

    def advice(self) -> str:
        return "this is a bug; agent.log on the node holds its story"


@dataclass(eq=False, kw_only=True)
class RosterConflict(SsiError):
    """Two systems, or two deployments at once, claim one node."""

    word = "roster-conflict"
    exit_code = 10
    node: str
    reason: str

    def what(self) -> str:
        return f"{self.node} does not take this roster: {self.reason}"

    def advice(self) -> str:
        return "`ssi down` it from its own system first, or run `ssi up` again"


@dataclass(eq=False, kw_only=True)
class ClientRefused(SsiError):
    """A key is not let in as a client of that user."""

    word = "client-refused"
    exit_code = 7
    node: str
    user: str
    reason: str

    def what(self) -> str:
        return f"{self.node} does not take a key for user {self.user}: {self.reason}"

    def advice(self) -> str:
        return "move ~/.config/ssi/client.key aside and run `ssi up` again"


@dataclass(eq=False, kw_only=True)
class GuestRefused(SsiError):
    """A node does not let a command use its files."""

    word = "guest-refused"
    exit_code = 7
    node: str
    user: str
    reason: str

    def what(self) -> str:
        return f"{self.node} does not let a command of {self.user} use its files: {self.reason}"

    def advice(self) -> str:
        return "wait for others to end, and try again"


@dataclass(eq=False, kw_only=True)
class AnswerTooLarge(SsiError):
    """An answer does not fit into one message."""

    word = "answer-too-large"
    exit_code = 6
    node: str
    request: str
    size_bytes: int

    def what(self) -> str:
        mib = self.size_bytes / 1024 / 1024
        return f"the answer of {self.node} to {self.request} has {mib:.0f} MiB, more than fits"

    def advice(self) -> str:
        return "ask for less at a time: name the gpids or the jobs that matter"


@dataclass(eq=False, kw_only=True)
class MountRefused(SsiError):
    """A node's files are not mounted, or not unmounted."""

    word = "mount-refused"
    exit_code = 31
    node: str
    reason: str

    def what(self) -> str:
        return f"{self.node} does not do that: {self.reason}"

    def advice(self) -> str:
        return f"`ssi mount` shows what is mounted, `ssi doctor {self.node}` what is missing"
