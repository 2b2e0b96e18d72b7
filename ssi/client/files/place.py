"""What a person writes for a file: ``n1:/etc/hosts``, or a path of this machine. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NODES = re.compile(r"([^/:]+):(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A path, and of which nodes.

    Attributes:
        nodes: A set of nodes as it was written; empty for this machine.
        path: As it was written. Of a node it counts from the user's home directory there.
    """

    nodes: str
    path: str

    @property
    def is_here(self) -> bool:
        """Whether it is this machine's, and no node was named."""
        return not self.nodes

    @property
    def must_be_directory(self) -> bool:
        """Whether it was written so that only a directory is meant."""
        return self.path.endswith("/") or self.path.rpartition("/")[2] in {".", ".."}

    def __str__(self) -> str:
        return f"{self.nodes}:{self.path}" if self.nodes else self.path


def parse_place(text: str) -> Place:
    """The place that a text names, by the rule of scp(1): a colon before any slash ends a node.

    A path of this machine that has such a colon is written ``./a:b``.
    """
    match = _NODES.fullmatch(text)
    if match is None:
        return Place(nodes="", path=text)
    return Place(nodes=match[1], path=match[2])


def absolute(path: str, home: bytes) -> bytes:
    """A path of a node from its root on; relative ones, and ``~``, count from the user's home."""
    raw = path.encode("utf-8", "surrogateescape")
    if raw == b"~" or raw.startswith(b"~/"):
        raw = raw[2:]
    return raw if raw.startswith(b"/") else home.rstrip(b"/") + b"/" + raw


def joined(folder: bytes, name: bytes) -> bytes:
    """A path one deeper."""
    return folder.rstrip(b"/") + b"/" + name


def last_name(path: bytes) -> bytes:
    """What a copy of that is called: empty for the root, ``.`` and ``..``."""
    name = path.rstrip(b"/").rpartition(b"/")[2]
    return b"" if name in {b".", b".."} else name
