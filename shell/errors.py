"""What can go wrong in the shell."""

from __future__ import annotations

from dataclasses import dataclass

from ssi.model.errors import SsiError


@dataclass(eq=False, kw_only=True)
class NeedInvalid(SsiError):
    """What a command needs of its node cannot be read."""

    word = "need-invalid"
    exit_code = 2
    text: str

    def what(self) -> str:
        return f"{self.text!r} says nothing that a node could be asked"

    def advice(self) -> str:
        return "write for instance 'mem>8G,cores>=4'; `ssi explain need-invalid` has the names"


@dataclass(eq=False, kw_only=True)
class NoStructure(SsiError):
    """A line has a placement, and what reads its structure is not installed here."""

    word = "no-structure"
    exit_code = 2

    def what(self) -> str:
        return "a placement within a compound command needs shfmt, which is not installed here"

    def advice(self) -> str:
        return "use pipes and lists of simple commands; `ssi doctor` says how to get shfmt here"


@dataclass(eq=False, kw_only=True)
class NoSuchJob(SsiError):
    """A job of the shell that there is not, or several that a word fits."""

    word = "no-such-job"
    spec: str
    several: bool = False

    def what(self) -> str:
        return f"{self.spec}: {'several jobs are called so' if self.several else 'no such job'}"

    def advice(self) -> str:
        return "`jobs` shows those of this shell, `jobs -a` all of yours"


@dataclass(eq=False, kw_only=True)
class BashLost(SsiError):
    """The bash of a session ended by itself, or cannot be reached."""

    word = "shell-lost"
    node: str
    reason: str

    def what(self) -> str:
        return f"the bash of this shell on {self.node} is lost: {self.reason}"

    def advice(self) -> str:
        return "the next line has a new one, with what was known of the old"
