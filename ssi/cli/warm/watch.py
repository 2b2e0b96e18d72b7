"""Whether anything has happened in directories since one looked last, as the kernel tells it."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from typing import Final, Self

_MODIFIED: Final = 0x2
_ATTRIBUTES: Final = 0x4
_MOVED: Final = 0x40 | 0x80
_CREATED: Final = 0x100
_DELETED: Final = 0x200
_ITSELF: Final = 0x400 | 0x800
_CHANGES: Final = _MODIFIED | _ATTRIBUTES | _MOVED | _CREATED | _DELETED | _ITSELF

_BLIND: Final = 0x800 | 0x2000 | 0x4000 | 0x8000
"""It was moved, unmounted or is watched no more, or there was too much to tell."""

_EVENT: Final = struct.Struct("iIII")
_CHUNK_BYTES: Final = 64 * 1024

_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """Of directories, each for what is in it and for itself. Source: inotify(7)."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._sees = True

    @classmethod
    def of(cls, directories: Iterable[str]) -> Self:
        """One that tells of every change from now on.

        Raises:
            OSError: The kernel has no more of them for this user, or a directory is not there.
        """
        watch = cls(_checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)))
        try:
            for directory in directories:
                path = os.fsencode(directory)
                _checked(_libc.inotify_add_watch(watch._descriptor, path, _CHANGES))
        except OSError:
            watch.close()
            raise
        return watch

    def is_quiet(self) -> bool:
        """Whether surely nothing has happened since it was asked last."""
        quiet = self._sees
        while self._sees:
            try:
                events = os.read(self._descriptor, _CHUNK_BYTES)
            except BlockingIOError:
                break
            quiet = False
            self._sees = not any(mask & _BLIND for mask in _masks(events))
        return quiet

    def close(self) -> None:
        """Lets go of it; it is never quiet any more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._sees = -1, False


def _masks(events: bytes) -> Iterable[int]:
    at = 0
    while at < len(events):
        _watched, mask, _cookie, name_bytes = _EVENT.unpack_from(events, at)
        yield mask
        at += _EVENT.size + name_bytes


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
