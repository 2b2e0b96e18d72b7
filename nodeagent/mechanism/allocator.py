"""Memory of the C library that is freed and wanted again at once: kept, for as long as bytes flow.

A piece of a mebibyte that is allocated fresh costs 256 page faults, more than all that is done with
it: two copies take 2 ms with them and 0.1 ms without (measured). Source: mallopt(3),
malloc_trim(3).
"""

from __future__ import annotations

import ctypes
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_USUAL_BYTES: Final = 128 * 1024
"""Of both thresholds in a fresh process."""

LARGEST_BYTES: Final = 8 * 1024 * 1024
"""Larger ones are mapped on their own, as ever."""

KEPT_BYTES: Final = 64 * 1024 * 1024
"""More than the messages of a full window and the copies that each goes through."""

_libc: Final = ctypes.CDLL(None)


class Allocator:
    """The one of this process. Other C libraries than glibc go on as they like.

    Attributes:
        keeps: Whether freed memory is kept at present.
    """

    def __init__(self) -> None:
        self.keeps = False
        self._known = hasattr(_libc, "mallopt") and hasattr(_libc, "malloc_trim")

    def keep(self) -> None:
        """Large blocks flow from now on; to say so with each of them costs nothing."""
        if not self.keeps and self._known:
            self.keeps = True
            _libc.mallopt(_M_MMAP_THRESHOLD, LARGEST_BYTES)
            _libc.mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)

    def give_back(self) -> None:
        """None flow for now: the kernel gets what is free. If others still do, they say so soon."""
        if self.keeps:
            self.keeps = False
            _libc.mallopt(_M_MMAP_THRESHOLD, _USUAL_BYTES)
            _libc.mallopt(_M_TRIM_THRESHOLD, _USUAL_BYTES)
            _libc.malloc_trim(0)


ALLOCATOR: Final = Allocator()
"""A process has one, so whoever moves many bytes speaks to the same."""
