"""Calls of the C library that Python 3.11 does not have.

Source: unshare(2), mount(2), prctl(2).
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWPID: Final = 0x20000000

MS_NOSUID: Final = 0x2
MS_NODEV: Final = 0x4
MS_NOEXEC: Final = 0x8
MS_REC: Final = 0x4000
MS_SLAVE: Final = 0x80000

_PR_SET_NAME: Final = 15
_PR_SET_SECCOMP: Final = 22
_PR_SET_CHILD_SUBREAPER: Final = 36

_SECCOMP_MODE_FILTER: Final = 2

_libc: Final = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """This process has namespaces of its own; for pids, its next child.

    Raises:
        OSError: Not permitted, or not known to this kernel.
    """
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mounts, or changes the propagation of a mount.

    Raises:
        OSError: The kernel refused.
    """
    result = _libc.mount(
        source.encode(),
        os.fsencode(target),
        kind.encode(),
        ctypes.c_ulong(flags),
        options.encode() or None,
    )
    _check(result, target)


def set_process_name(name: str) -> None:
    """The ``comm`` of this process is ``name``, cut to 15 bytes."""
    _check(_libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0), "PR_SET_NAME")


def become_subreaper() -> None:
    """Descendants that lose their parent become children of this process.

    The setting survives exec, and so a command can be given it.
    """
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "PR_SET_CHILD_SUBREAPER")


def set_seccomp_filter(program: int) -> None:
    """System calls of this process pass the ``sock_fprog`` at that address.

    Raises:
        OSError: Not permitted, or no such thing in this kernel.
    """
    address = ctypes.c_void_p(program)
    _check(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, address, 0, 0), "PR_SET_SECCOMP")


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
