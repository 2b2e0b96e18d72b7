"""Calls of the C library that Python 3.11 does not have.

Source: unshare(2), mount(2), prctl(2), clone(2).
"""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Final

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWPID: Final = 0x20000000

MS_NOSUID: Final = 0x2
MS_NODEV: Final = 0x4
MS_NOEXEC: Final = 0x8
MS_REC: Final = 0x4000
MS_SLAVE: Final = 0x80000

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_PR_SET_SECCOMP: Final = 22
_PR_SET_CHILD_SUBREAPER: Final = 36

_SECCOMP_MODE_FILTER: Final = 2

_libc: Final = ctypes.CDLL(None, use_errno=True)
_held: Final = ctypes.PyDLL(None, use_errno=True)
"""The same, called without letting go of the interpreter's lock: for calls that fork."""

_SYS_CLONE3: Final = 435
_SYS_PIDFD_GETFD: Final = 438
_CLONE_INTO_CGROUP: Final = 0x200000000


def unshare(flags: int) -> None:
    """This process has namespaces of its own; for pids, its next child.

    Raises:
        OSError: Not permitted, or not known to this kernel.
    """
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def descriptor_of(pid: int, number: int) -> int:
    """A descriptor of our own for what another process has open under that number.

    Raises:
        OSError: It is gone, or not ours to look into; or a kernel before 5.6.
    """
    process = os.pidfd_open(pid)
    try:
        got: int = _libc.syscall(
            ctypes.c_long(_SYS_PIDFD_GETFD),
            ctypes.c_int(process),
            ctypes.c_int(number),
            ctypes.c_uint(0),
        )
        _check(-1 if got < 0 else 0, "pidfd_getfd")
        return got
    finally:
        os.close(process)


class _CloneArguments(ctypes.Structure):
    """``struct clone_args`` of clone3(2), as far as the kernel had it when it learned cgroups."""

    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in (
            "flags",
            "pidfd",
            "child_tid",
            "parent_tid",
            "exit_signal",
            "stack",
            "stack_size",
            "tls",
            "set_tid",
            "set_tid_size",
            "cgroup",
        )
    )


def fork_into_cgroup(directory: str) -> int:
    """As ``os.fork``, with the child born in that cgroup of version 2.

    To be moved there afterwards costs a process 10 to 20 ms (measured): the kernel lets every
    reader of its cgroup locks pass first. The process must have one thread only.

    Raises:
        OSError: Not a cgroup of version 2, or a kernel or filter without clone3(2).
    """
    cgroup = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        arguments = _CloneArguments(
            flags=_CLONE_INTO_CGROUP, exit_signal=signal.SIGCHLD, cgroup=cgroup
        )
        python = ctypes.pythonapi
        python.PyOS_BeforeFork()
        pid: int = _held.syscall(
            ctypes.c_long(_SYS_CLONE3),
            ctypes.byref(arguments),
            ctypes.c_size_t(ctypes.sizeof(arguments)),
        )
        if pid == 0:
            python.PyOS_AfterFork_Child()
            return 0
        error = ctypes.get_errno()
        python.PyOS_AfterFork_Parent()
    finally:
        os.close(cgroup)
    if pid < 0:
        raise OSError(error, os.strerror(error), directory)
    return pid


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


def end_with_parent() -> None:
    """This process gets SIGTERM when the one that forked it ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0), "PR_SET_PDEATHSIG")


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
