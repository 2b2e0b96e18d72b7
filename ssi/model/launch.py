"""Why a command could not be started, with the exit codes that a shell has for it."""

from __future__ import annotations

from dataclasses import dataclass

from ssi.model.errors import SsiError


@dataclass(eq=False, kw_only=True)
class CommandNotFound(SsiError):
    """No program of that name is in the job's PATH, or at that path."""

    word = "command-not-found"
    exit_code = 127
    command: str

    def what(self) -> str:
        return f"{self.command}: command not found"

    def advice(self) -> str:
        return "it is looked up in PATH on the node where it is to run"


@dataclass(eq=False, kw_only=True)
class CommandNotExecutable(SsiError):
    """The program is there and the kernel does not execute it."""

    word = "command-not-executable"
    exit_code = 126
    command: str
    reason: str

    def what(self) -> str:
        return f"{self.command}: cannot execute: {self.reason}"


@dataclass(eq=False, kw_only=True)
class CwdMissing(SsiError):
    """The user can enter none of the directories where the command was to start."""

    word = "cwd-missing"
    exit_code = 126
    cwds: list[str]

    def what(self) -> str:
        return f"the working directory cannot be entered: {', '.join(self.cwds)}"

    def advice(self) -> str:
        return "name one that exists there with --cwd"


@dataclass(eq=False, kw_only=True)
class StartFailed(SsiError):
    """The command was not started because its surroundings could not be made."""

    word = "start-failed"
    exit_code = 125
    command: str
    step: str
    reason: str

    def what(self) -> str:
        return f"{self.command}: not started: {self.step}: {self.reason}"
