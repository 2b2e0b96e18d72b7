"""A thread takes on the identity of the user for whom it works.

Linux keeps credentials per thread; the C library's wrappers would change all threads at once, so
the bare system calls are used. The saved uid stays 0: with an effective uid that is not 0 the
kernel takes all effective capabilities away, which a mere setfsuid(2) does not, and the way back
stays open. Where any step fails the process ends: nothing is ever done as somebody else.

Source: credentials(7), capabilities(7), nptl(7).
"""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_NUMBERS: Final[Mapping[str, tuple[int, int, int]]] = {
    "x86_64": (116, 117, 119),
    "aarch64": (159, 147, 149),
    "riscv64": (159, 147, 149),
    "loongarch64": (159, 147, 149),
}
"""setgroups, setresuid and setresgid, by machine."""

_libc: Final = ctypes.CDLL(None, use_errno=True)
_UNCHANGED: Final = ctypes.c_long(-1)
_ROOT: Final = ctypes.c_long(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """As whom something is done."""

    user: str
    uid: int
    gid: int
    groups: tuple[int, ...]


class _Thread(threading.local):
    identity: Identity | None = None


_thread: Final = _Thread()


def is_supported() -> bool:
    """Whether this process can act as other users: as root, on a machine whose calls are known."""
    return os.geteuid() == 0 and platform.machine() in _NUMBERS


def become(identity: Identity) -> None:
    """This thread is that user from now on; cheap where it is already."""
    if _thread.identity is identity:
        return
    if _thread.identity == identity:
        _thread.identity = identity
        return
    _thread.identity = None
    setgroups, setresuid, setresgid = _NUMBERS[platform.machine()]
    groups = (ctypes.c_uint32 * len(identity.groups))(*identity.groups)
    _must(setresuid, _UNCHANGED, _ROOT, _UNCHANGED)
    _must(setgroups, ctypes.c_long(len(identity.groups)), groups)
    _must(setresgid, _UNCHANGED, ctypes.c_long(identity.gid), _UNCHANGED)
    _must(setresuid, _UNCHANGED, ctypes.c_long(identity.uid), _UNCHANGED)
    _thread.identity = identity


def _must(number: int, *arguments: object) -> None:
    if _libc.syscall(ctypes.c_long(number), *arguments) != 0:
        os._exit(70)
