"""Calls of the C library that Python 3.11 does not have.

Source: unshare(2), setns(2), mount(2), prctl(2), clone(2), mprotect(2), ptrace(2), sigqueue(3),
syscall(2).
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import signal
from typing import Final

CLONE_VM: Final = 0x00000100
CLONE_NEWNS: Final = 0x00020000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWPID: Final = 0x20000000
CLONE_CLEAR_SIGHAND: Final = 0x100000000
CLONE_INTO_CGROUP: Final = 0x200000000

MS_NOSUID: Final = 0x2
MS_NODEV: Final = 0x4
MS_NOEXEC: Final = 0x8
MS_RDONLY: Final = 0x1
MS_REMOUNT: Final = 0x20
MS_BIND: Final = 0x1000
MS_REC: Final = 0x4000
MS_SLAVE: Final = 0x80000

_PR_SET_PDEATHSIG: Final = 1
_PR_GET_DUMPABLE: Final = 3
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NAME: Final = 15
PR_SET_SECCOMP: Final = 22
PR_SET_CHILD_SUBREAPER: Final = 36

SECCOMP_MODE_FILTER: Final = 2

PTRACE_DETACH: Final = 17
PTRACE_SEIZE: Final = 0x4206
PTRACE_INTERRUPT: Final = 0x4207
PTRACE_PEEKSIGINFO: Final = 0x4209
WALL: Final = 0x40000000
"""For waitpid(2): also threads of other processes."""

_libc: Final = ctypes.CDLL(None, use_errno=True)
_held: Final = ctypes.PyDLL(None, use_errno=True)
"""The same, called without letting go of the interpreter's lock: for calls that fork."""

_SYS_CLONE3: Final = 435
_SYS_PIDFD_GETFD: Final = 438
_SYS_OPENAT2: Final = 437
_SYS_MOUNT_SETATTR: Final = 442
_SYS_PIVOT_ROOT: Final = {"x86_64": 155, "aarch64": 41}.get(os.uname().machine, -1)
_SYS_IOPRIO_SET: Final = {"x86_64": 251, "aarch64": 30}.get(os.uname().machine, -1)
_IOPRIO_WHO_PROCESS: Final = 1
_IOPRIO_CLASS_SHIFT: Final = 13
_AT_FDCWD: Final = -100
_AT_RECURSIVE: Final = 0x8000
_MNT_DETACH: Final = 2
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_IN_ROOT: Final = 0x10
_TRIES: Final = 16
"""A resolution that raced with a rename is tried again so often."""


def unshare(flags: int) -> None:
    """This process has namespaces of its own; for pids, its next child.

    Raises:
        OSError: Not permitted, or not known to this kernel.
    """
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def setns(namespace: int, kind: int) -> None:
    """This process is in the namespace of that descriptor; for pids, its next child.

    Raises:
        OSError: Not permitted, or the descriptor is of another kind.
    """
    _check(_libc.setns(ctypes.c_int(namespace), ctypes.c_int(kind)), "setns")


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


class CloneArguments(ctypes.Structure):
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
    """As fork(2), with the child born in that cgroup of version 2.

    For a child that executes a program soon: what modules have registered to be done at a fork,
    a fifth of what such a child costs, is left out. To be moved there afterwards costs a process 10
    to 20 ms (measured): the kernel lets every reader of its cgroup locks pass first. The process
    must have one thread only.

    Raises:
        OSError: Not a cgroup of version 2, or a kernel or filter without clone3(2).
    """
    cgroup = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        arguments = CloneArguments(
            flags=CLONE_INTO_CGROUP, exit_signal=signal.SIGCHLD, cgroup=cgroup
        )
        pid: int = _held.syscall(
            ctypes.c_long(_SYS_CLONE3),
            ctypes.byref(arguments),
            ctypes.c_size_t(ctypes.sizeof(arguments)),
        )
        if pid == 0:
            return 0
        error = ctypes.get_errno()
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


class _MountAttributes(ctypes.Structure):
    """``struct mount_attr`` of mount_setattr(2)."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "users"))


def set_nosuid(path: str) -> None:
    """Set-user-id bits have no power on the mount at ``path``, nor on any below it.

    Raises:
        OSError: Not permitted, or a kernel before 5.12.
    """
    attributes = _MountAttributes(set=MS_NOSUID)
    result: int = _libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        os.fsencode(path),
        ctypes.c_uint(_AT_RECURSIVE),
        ctypes.byref(attributes),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    )
    _check(result, "mount_setattr")


class _How(ctypes.Structure):
    """``struct open_how`` of openat2(2)."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in ("flags", "mode", "resolve"))


def open_in_root(root: int, path: str) -> int:
    """An ``O_PATH`` descriptor of what is at ``path`` if the directory ``root`` is taken for /.

    Raises:
        OSError: As openat2(2).
    """
    how = _How(os.O_PATH | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    for _ in range(_TRIES):
        descriptor: int = _libc.syscall(
            ctypes.c_long(_SYS_OPENAT2),
            ctypes.c_int(root),
            os.fsencode(path),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
        if descriptor >= 0:
            return descriptor
        code = ctypes.get_errno()
        if code not in {errno.EAGAIN, errno.EINTR}:
            break
    raise OSError(code, os.strerror(code))


def pivot_root(path: str) -> None:
    """The mount at ``path`` is the root of this mount namespace; the old one is gone from it.

    Raises:
        OSError: Not permitted, or the root is no mount.
    """
    os.chdir(path)
    _check(_libc.syscall(ctypes.c_long(_SYS_PIVOT_ROOT), b".", b"."), "pivot_root")
    # The old root lies on top of the new one now. Source: pivot_root(2).
    _check(_libc.umount2(b".", ctypes.c_int(_MNT_DETACH)), "umount2")
    os.chdir("/")


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
    _check(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "PR_SET_CHILD_SUBREAPER")


def dumpable() -> int:
    """Who may look into this process, as prctl(2) has it."""
    value: int = _libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0)
    return value


def set_dumpable(value: int) -> None:
    """Undoes what a change of ids made of :func:`dumpable`."""
    _check(_libc.prctl(_PR_SET_DUMPABLE, value, 0, 0, 0), "PR_SET_DUMPABLE")


def make_executable(address: int, size: int) -> None:
    """Memory at that address can be executed, and not written any more.

    Raises:
        OSError: Not permitted.
    """
    flags = mmap.PROT_READ | mmap.PROT_EXEC
    _check(_libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), flags), "mprotect")


def ptrace(request: int, thread: int, address: int = 0, data: int = 0) -> int:
    """What the kernel answers; for requests whose answer is no word of the tracee's memory.

    Raises:
        OSError: Not permitted, no such thread, or it does not stand still.
    """
    result: int = _libc.ptrace(
        ctypes.c_long(request),
        ctypes.c_int(thread),
        ctypes.c_void_p(address),
        ctypes.c_void_p(data),
    )
    _check(min(result, 0), "ptrace")
    return result


def sigqueue(pid: int, number: int, value: int) -> None:
    """Sends a signal with a value.

    Raises:
        OSError: Not permitted, no such process, or too many signals wait for its user.
    """
    result = _libc.sigqueue(ctypes.c_int(pid), ctypes.c_int(number), ctypes.c_void_p(value))
    _check(result, "sigqueue")


def system_call(number: int, *arguments: int) -> int:
    """The result of any system call; an error is its negative number."""
    result: int = _held.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    return -ctypes.get_errno() if result == -1 else result


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def set_io_priority(thread: int, io_class: int, level: int) -> None:
    """Sets the I/O priority of one thread. Source: ioprio_set(2).

    Raises:
        OSError: Not permitted, no such thread, or a machine whose system call is not known here.
    """
    priority = io_class << _IOPRIO_CLASS_SHIFT | level
    result = _libc.syscall(
        ctypes.c_long(_SYS_IOPRIO_SET),
        ctypes.c_int(_IOPRIO_WHO_PROCESS),
        ctypes.c_int(thread),
        ctypes.c_int(priority),
    )
    _check(result, "ioprio_set")
