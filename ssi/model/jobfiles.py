"""Whose files a job sees: those of its home at the same paths, wherever it runs."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from ssi.model.client import CLIENTS, is_client
from ssi.model.errors import SsiError, UsageError

NODES: Final = "/ssi/n"
"""Where every node's files are, on every node."""

_KERNELS: Final = ("/dev", "/proc", "/run", "/ssi", "/sys")
_SYSTEMS: Final = (
    *("/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/sbin"),
    *("/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/sbin"),
)
_SYSTEM_ROOTS: Final = ("/", "/usr", "/var")


@dataclass(eq=False, kw_only=True)
class FilesUnavailable(SsiError):
    """A job was to see files of another node, and they cannot be had where it was to run."""

    word = "files-unavailable"
    exit_code = 125
    node: str
    files: str
    reason: str

    def what(self) -> str:
        return f"{self.files} cannot be had on {self.node}: {self.reason}"

    def advice(self) -> str:
        return "--root local runs it with the files of the node where it runs"


class Bind(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A file or directory of a node, at a path of the job.

    Attributes:
        node: Whose.
        source: Its path there.
        target: Where the job sees it.
        is_asked: By its user; else it comes by default.
    """

    node: str
    source: str
    target: str
    is_asked: bool = False


class JobFiles(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a job sees that is not of the node where it runs.

    Attributes:
        home: Node of the user who started it, or their machine that is none.
        home_directory: Of the user, there.
        is_whole: All of its root comes from home; ``binds`` are within it.
        binds: Targets that are within others stand behind those.
    """

    home: str
    home_directory: str = ""
    is_whole: bool = False
    binds: tuple[Bind, ...] = ()

    @property
    def root(self) -> str:
        """The root of its processes, as the node where it runs has it; empty: that of the node."""
        return root_of(self.home) if self.is_whole else ""

    def nodes(self) -> tuple[str, ...]:
        """Whose files it takes, each once."""
        whole = (self.home,) if self.is_whole else ()
        return tuple(dict.fromkeys((*whole, *(bind.node for bind in self.binds))))

    def clients(self) -> tuple[str, ...]:
        """Those of them that are no nodes."""
        return tuple(name for name in self.nodes() if is_client(name))

    def paths_of(self, name: str) -> tuple[str, ...]:
        """What it takes of a node, or of a machine that is none."""
        if self.is_whole and name == self.home:
            return ("/",)
        return tuple(dict.fromkeys(bind.source for bind in self.binds if bind.node == name))

    def cover(self, path: str) -> bool:
        """Whether what a job has at ``path`` is the same file wherever it runs."""
        if is_within(path, NODES) or is_within(path, CLIENTS):
            return True
        return any(is_within(path, bind.target) for bind in self.binds)


def root_of(name: str) -> str:
    """Where the files of a node, or of a machine that is none, are on the other nodes."""
    return posixpath.join(CLIENTS if is_client(name) else NODES, name)


def is_within(path: str, folder: str) -> bool:
    """Whether a path is a folder, or below it; both absolute."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def is_systems(path: str) -> bool:
    """Whether programs expect there what belongs to the machine that they run on."""
    return path in _SYSTEM_ROOTS or any(is_within(path, each) for each in (*_KERNELS, *_SYSTEMS))


def default_binds(home: str, home_directory: str, cwd: str) -> tuple[Bind, ...]:
    """The user's home directory and the working directory, without what belongs to a machine."""
    found: list[Bind] = []
    for path in (home_directory, cwd):
        covered = any(is_within(path, bind.target) for bind in found)
        if path.startswith("/") and not is_systems(path) and not covered:
            found.append(Bind(node=home, source=path, target=path))
    return tuple(found)


def ordered(binds: Iterable[Bind]) -> tuple[Bind, ...]:
    """One bind for each target, the last; outer ones first."""
    last = {bind.target: bind for bind in binds}
    return tuple(sorted(last.values(), key=lambda bind: bind.target.rstrip("/").count("/")))


def parse_bind(text: str, home: str, cwd: str) -> Bind:
    """The bind that ``[NODE:]SRC[:DST]`` asks for.

    Args:
        text: As the user wrote it. A first part without a slash that another follows is a node.
        home: Whose files a SRC without a node means.
        cwd: For relative paths.

    Raises:
        UsageError: It cannot be read.
    """
    parts = text.split(":")
    node = home
    if len(parts) > 1 and parts[0] and "/" not in parts[0] and not parts[0].startswith((".", "~")):
        node = parts.pop(0)
    if not 1 <= len(parts) <= 2 or not all(parts) or not node:
        raise UsageError(text=f"--bind {text!r} cannot be read", hint="write [NODE:]SRC[:DST]")
    source, target = (
        posixpath.normpath(posixpath.join(cwd, part)) for part in (parts[0], parts[-1])
    )
    if target == "/" or any(is_within(target, each) for each in ("/dev", "/proc", "/sys", "/ssi")):
        raise UsageError(
            text=f"--bind cannot put anything at {target}", hint="for a whole root use --root home"
        )
    return Bind(node=node, source=source, target=target, is_asked=True)
