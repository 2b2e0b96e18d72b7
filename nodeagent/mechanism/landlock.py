"""Hides Landlock from a job, because a process that has shut itself in with it cannot move.

CRIU talks to a process from inside it, over an abstract Unix socket, and since version 6 of its
interface (Linux 6.12) Landlock can forbid a process to reach such sockets of others. xz 5.8 does
so, in each of its ways of working: ``Unable to connect a transport socket``. CRIU also does not
restore a Landlock domain. So a job sees a kernel where Landlock is switched off at boot, an answer
that programs must be ready for, and runs without that sandbox as it does on such a kernel.

Source: landlock(7), seccomp(2), CRIU 4.2 ``compel/src/lib/infect.c``.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from typing import Final

from nodeagent.mechanism import libc

_LANDLOCK_CREATE_RULESET: Final = 444
"""The same number on every architecture."""

_LOAD_WORD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_JUMP_IF_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K
_RET_ERRNO: Final = 0x00050000
_RET_ALLOW: Final = 0x7FFF0000
_NUMBER_OFFSET: Final = 0  # of seccomp_data.nr


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def hiding() -> tuple[int, ...]:
    """Arguments of prctl(2) by which a process is told that the kernel has Landlock switched off.

    So are all below it. The filter survives exec, costs nothing measurable, and moves with the
    job. Without ``no_new_privs`` it needs CAP_SYS_ADMIN, so it comes before a change of user.
    """
    return libc.PR_SET_SECCOMP, libc.SECCOMP_MODE_FILTER, ctypes.addressof(_FILTER), 0, 0


def filter_code() -> bytes:
    """The filter, as four instructions of eight bytes."""
    instructions = (
        (_LOAD_WORD, 0, 0, _NUMBER_OFFSET),
        (_JUMP_IF_EQUAL, 0, 1, _LANDLOCK_CREATE_RULESET),
        (_RETURN, 0, 0, _RET_ERRNO | errno.EOPNOTSUPP),
        (_RETURN, 0, 0, _RET_ALLOW),
    )
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


_FILTER: Final = _Program(len(filter_code()) // 8, filter_code())
"""Made once: a job is started by a fork, in which each step costs pages."""
