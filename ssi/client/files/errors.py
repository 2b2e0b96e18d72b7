"""What can go wrong with files of machines, besides what their kernels refuse."""

from __future__ import annotations

from dataclasses import dataclass

from ssi.model.errors import SsiError


@dataclass(eq=False, kw_only=True)
class FilesSilent(SsiError):
    """The file server of a node does not answer."""

    word = "files-silent"
    exit_code = 4
    node: str
    after_s: float

    def what(self) -> str:
        return f"the file server of {self.node} has not answered for {self.after_s:g} s"

    def advice(self) -> str:
        return "`ssi nodes` shows whether it lives; the same copy again goes on where it ended"


@dataclass(eq=False, kw_only=True)
class FilesNotServed(SsiError):
    """A node has no file server."""

    word = "files-not-served"
    exit_code = 4
    node: str

    def what(self) -> str:
        return f"{self.node} serves no files"

    def advice(self) -> str:
        return f"`ssi up {self.node}` again gives it a newer agent, which does"


@dataclass(eq=False, kw_only=True)
class FileFailed(SsiError):
    """Something cannot be done with a file."""

    word = "file-failed"
    place: str
    reason: str
    hint: str = ""

    def what(self) -> str:
        return f"{self.place}: {self.reason}"

    def advice(self) -> str:
        return self.hint


@dataclass(eq=False, kw_only=True)
class NoRoom(SsiError):
    """The disk is full to which files are copied."""

    word = "no-room"
    exit_code = 51
    place: str
    needed_bytes: int
    free_bytes: int

    def what(self) -> str:
        needed, free = self.needed_bytes / 1e6, self.free_bytes / 1e6
        return f"{self.place}: no room: the file has {needed:,.1f} MB, {free:,.1f} MB are free"

    def advice(self) -> str:
        return "make room there; what was being copied was removed"
