"""Opens files beneath the root of an export, and never outside of it.

The kernel itself refuses ``..`` above the root, symbolic links, and the magic links of /proc,
whatever is swapped meanwhile. Source: openat2(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

_SYS_OPENAT2: Final = 437
"""The same number on every architecture."""

_NO_MAGICLINKS: Final = 0x02
_NO_SYMLINKS: Final = 0x04
_BENEATH: Final = 0x08
_TRIES: Final = 16
"""A resolution that raced with a rename is tried again so often."""

MAX_HOWS: Final = 256
_ANYTHING: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_READABLE: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


@lru_cache(MAX_HOWS)
def _how(flags: int, mode: int) -> _How:
    """How to open, which the kernel only reads."""
    return _How(flags, mode, _BENEATH | _NO_MAGICLINKS | _NO_SYMLINKS)


_syscall: Final = ctypes.CDLL(None, use_errno=True).syscall
_syscall.argtypes = (
    *(ctypes.c_long, ctypes.c_int, ctypes.c_char_p),
    *(ctypes.POINTER(_How), ctypes.c_size_t),
)
_HOW_BYTES: Final = ctypes.sizeof(_How)


class Tree:
    """Everything beneath one directory. Paths are relative; the empty one is the root itself.

    Raises:
        OSError: There is no such directory.
    """

    def __init__(self, root: str) -> None:
        self._root = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Nothing is opened any more."""
        os.close(self._root)

    def open(self, path: bytes, flags: int, mode: int = 0) -> int:
        """A descriptor; a symbolic link at the end is opened only as one, with ``O_PATH``.

        Raises:
            OSError: As openat2(2).
        """
        how, path = _how(flags, mode), path or b"."
        for _ in range(_TRIES):
            descriptor: int = _syscall(_SYS_OPENAT2, self._root, path, how, _HOW_BYTES)
            if descriptor >= 0:
                return descriptor
            code = ctypes.get_errno()
            if code not in {errno.EAGAIN, errno.EINTR}:
                break
        raise OSError(code, os.strerror(code))

    @contextmanager
    def at(self, path: bytes) -> Iterator[int]:
        """An ``O_PATH`` descriptor of whatever is there, for the length of a block."""
        descriptor = self.open(path, _ANYTHING)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def listing(self, path: bytes) -> Iterator[int]:
        """A descriptor of a directory that can be read."""
        descriptor = self.open(path, _READABLE)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def parent(self, path: bytes) -> Iterator[tuple[int, bytes]]:
        """A descriptor of the directory that the last name of a path is in, and that name.

        Raises:
            OSError: ``EBUSY`` for the root, which has no name; else as openat2(2).
        """
        folder, _, name = path.rpartition(b"/")
        if name in {b"", b".", b".."}:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        descriptor = self.open(folder, _DIRECTORY)
        try:
            yield descriptor, name
        finally:
            os.close(descriptor)


def reopened(descriptor: int) -> str:
    """The path by which what an ``O_PATH`` descriptor stands for is opened, and nothing else."""
    return f"/proc/self/fd/{descriptor}"
