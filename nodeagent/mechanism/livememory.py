"""What the kernel offers to those who move memory of a running process.

Source: the kernel's ``pagemap.rst`` and ``soft-dirty.rst``, userfaultfd(2).
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from pathlib import Path
from typing import Final

_SOFT_DIRTY: Final = 1 << 55
_ENTRY: Final = struct.Struct("=Q")
_USERFAULTFD: Final = Path("/proc/sys/vm/unprivileged_userfaultfd")


def tracks_writes() -> bool:
    """Whether it tells which pages were written to, which pre-copy needs.

    A page that was just written to says so, unless the kernel was built without; CRIU looks in the
    same way (``kerndat.c``).
    """
    with mmap.mmap(-1, mmap.PAGESIZE) as page:
        page[0] = 1
        anchor = ctypes.c_char.from_buffer(page)
        number = ctypes.addressof(anchor) // mmap.PAGESIZE
        del anchor
        try:
            with Path("/proc/self/pagemap").open("rb", buffering=0) as table:
                table.seek(number * _ENTRY.size)
                (entry,) = _ENTRY.unpack(table.read(_ENTRY.size))
        except (OSError, struct.error):
            return False
    return bool(entry & _SOFT_DIRTY)


def has_userfaultfd() -> bool:
    """Whether it lets another process bring pages as they are touched, which post-copy needs."""
    return _USERFAULTFD.exists()
