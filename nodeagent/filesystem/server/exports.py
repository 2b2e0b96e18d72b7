"""What of a node is served: pure rules about paths.

A file of exports has one path a line, maybe followed by ``ro``. Without one, all is served. What
is ssi's own, and what the kernel makes up (/proc, /sys), appears as an empty directory: it has a
place for a mount of somebody's own, and nothing in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ssi.protocol.filerequests import MAX_PATH_BYTES

UNSERVED_KINDS: Final = frozenset(
    {
        "proc", "sysfs", "cgroup", "cgroup2", "devpts", "debugfs", "tracefs", "securityfs",
        "configfs", "bpf", "pstore", "efivarfs", "fusectl", "binfmt_misc", "autofs", "mqueue",
        "fuse.ssi",
    }
)  # fmt: skip
"""Kinds of file systems of which nothing is served. Ours are served by their own nodes."""

_UNSOUND: Final = frozenset({b"", b".", b".."})
_ESCAPE: Final = re.compile(rb"\\([0-7]{3})")


_NOTING_KINDS: Final = frozenset(
    {"bcachefs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"}
)
"""Their directories have another time of change after each change of their names. So have those of
btrfs, whose devices have other numbers in the table of mounts than in stat(2)."""


class Rule(Enum):
    """What may be done at a path."""

    WRITE = "write"
    READ = "read"
    EMPTY = "empty"
    """An empty directory, whatever is there."""
    ABOVE = "above"
    """A directory on the way to an export: only what leads to one is seen."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Export:
    """A path, relative to the root, and whether it can be written to."""

    path: bytes
    writable: bool = True


def parse_exports(text: str) -> tuple[Export, ...]:
    """The exports of a file; lines that cannot be understood serve nothing.

    Everything is read-only below a path that is ``ro``, unless a longer path says otherwise.
    """
    found = []
    for line in text.splitlines():
        words = line.split("#", maxsplit=1)[0].split()
        if words and words[0].startswith("/") and words[1:] in ([], ["ro"], ["rw"]):
            found.append(Export(words[0].strip("/").encode(), words[1:] != ["ro"]))
    return tuple(found)


def unserved_mounts(mountinfo: bytes) -> tuple[bytes, ...]:
    """Mount points of kinds that are not served, relative."""
    return tuple(
        _ESCAPE.sub(lambda match: bytes([int(match[1], 8) & 255]), point).strip(b"/")
        for point, kind, _device in _mounts(mountinfo)
        if kind in UNSERVED_KINDS
    )


def noting_devices(mountinfo: bytes) -> frozenset[int]:
    """Numbers of the devices whose directories note each change of their names."""
    return frozenset(device for _point, kind, device in _mounts(mountinfo) if kind in _NOTING_KINDS)


def _mounts(mountinfo: bytes) -> Iterator[tuple[bytes, str, int]]:
    """Point, kind and device of each mount. Source: proc_pid_mountinfo(5)."""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(b" - ")
        fields, kind = left.split(), right.split()[:1]
        if len(fields) >= 5 and kind:
            major, _, minor = fields[2].partition(b":")
            yield fields[4], kind[0].decode("utf-8", "replace"), os.makedev(int(major), int(minor))


class Exports:
    """The rules of one server.

    Args:
        exports: What is served.
        hidden: What of it is not, relative paths.
        noting: Devices whose directories have another time of change after each change in them.
    """

    def __init__(
        self,
        exports: Iterable[Export],
        hidden: Iterable[bytes],
        noting: Set[int] = frozenset(),
    ) -> None:
        self.noting = noting
        self._exports = sorted(exports, key=lambda each: len(each.path), reverse=True)
        self._hidden = frozenset(hidden) - {b""}
        self._below_hidden = tuple(each + b"/" for each in self._hidden)
        self._whole = self._exports == [Export(b"")]

    def rule(self, path: bytes) -> Rule:
        """What may be done at a path."""
        rule = self._exported(path)
        if rule is not Rule.NOTHING:
            if path in self._hidden:
                return Rule.EMPTY
            if path.startswith(self._below_hidden):
                return Rule.NOTHING
        return rule

    def _exported(self, path: bytes) -> Rule:
        if self._whole:
            return Rule.WRITE
        for export in self._exports:
            if is_within(path, export.path):
                return Rule.WRITE if export.writable else Rule.READ
        above_one = any(is_within(export.path, path) for export in self._exports)
        return Rule.ABOVE if above_one else Rule.NOTHING

    def shows(self, folder: bytes, name: bytes) -> bool:
        """Whether a name is listed in a directory that is on the way to an export."""
        return self.rule(join(folder, name)) is not Rule.NOTHING


def join(folder: bytes, name: bytes) -> bytes:
    """A path one deeper."""
    return folder + b"/" + name if folder else name


def is_within(path: bytes, folder: bytes) -> bool:
    """Whether a path is a folder, or below it."""
    return not folder or path == folder or path.startswith(folder + b"/")


def is_sound(path: bytes) -> bool:
    """Whether a path is relative, without empty parts, ``.`` and ``..``."""
    if not path:
        return True
    if len(path) > MAX_PATH_BYTES or b"\0" in path:
        return False
    return _UNSOUND.isdisjoint(path.split(b"/"))
