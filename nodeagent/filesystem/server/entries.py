"""What the server tells of a file."""

from __future__ import annotations

import os
import stat
from typing import Final

from nodeagent.filesystem.server.tree import reopened
from ssi.protocol.filereplies import ATTRIBUTES, Entry

_NS: Final = 1_000_000_000
_BLOCK_BYTES: Final = 4096
_INO_BITS: Final = 48
_MASK: Final = (1 << 64) - 1


class Entries:
    """Makes entries.

    Args:
        root_device: Of the export's root. A mount shows one device, so inodes of other file
            systems get numbers of their own, else two files of the same number would look like
            one with two names.
    """

    def __init__(self, root_device: int) -> None:
        self._root_device = root_device

    def of(
        self,
        found: os.stat_result,
        *,
        plain: bool = False,
        empty: bool = False,
        target: bytes = b"",
    ) -> Entry:
        """The entry of a file; with ``empty``, of a directory that shows nothing."""
        ino = found.st_ino
        if found.st_dev != self._root_device:
            ino ^= (((found.st_dev * 0x9E3779B1) >> 8) & 0xFFFF | 1) << _INO_BITS
        shown = (
            (stat.S_IFDIR | 0o555, 2, 0, 0)
            if empty
            else (found.st_mode, found.st_nlink, found.st_uid, found.st_gid)
        )
        atime_ns, mtime_ns, ctime_ns = found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns
        attributes = ATTRIBUTES.pack(
            ino & _MASK,
            0 if empty else found.st_size,
            0 if empty else found.st_blocks,
            atime_ns // _NS & _MASK,
            mtime_ns // _NS & _MASK,
            ctime_ns // _NS & _MASK,
            atime_ns % _NS,
            mtime_ns % _NS,
            ctime_ns % _NS,
            *shown,
            _kernel_device(found.st_rdev),
            _BLOCK_BYTES,
            0,
        )
        return Entry(attributes, found.st_dev, plain, target=target)

    def of_open(self, descriptor: int) -> Entry:
        """The entry of a file that is open, and not with ``O_PATH``."""
        return self.of(os.fstat(descriptor), plain=is_plain(descriptor))

    def at(self, descriptor: int) -> Entry:
        """The entry of what a descriptor, maybe of ``O_PATH``, stands for."""
        found = os.fstat(descriptor)
        if stat.S_ISLNK(found.st_mode):
            # It has no attributes that a user could see, and cannot be asked by descriptor.
            return self.of(found, plain=True, target=os.readlink(b"", dir_fd=descriptor))
        return self.of(found, plain=is_plain(reopened(descriptor)))


def is_plain(path: str | bytes | int) -> bool:
    """Whether a file, by its path or open, has no extended attribute."""
    try:
        return not os.listxattr(path)
    except OSError:
        return False


def _kernel_device(device: int) -> int:
    """A device number as the kernel packs it into 32 bits."""
    major, minor = os.major(device), os.minor(device)
    return (minor & 0xFF) | (major << 8) | ((minor & ~0xFF) << 12)
