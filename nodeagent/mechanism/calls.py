"""A list of system calls that a child makes by itself, up to the one that executes a command.

A fork copies each page that either side writes to, and Python writes to whatever it looks at: of
what the start of a short command cost, that was the larger half. So where it can be, the child
shares this process's memory, and a few instructions of machine code carry its list out for it. It
touches nothing but the list, where each call leaves its result, so this process goes on meanwhile.
Elsewhere a fork carries the same list out in Python (docs/adr/0027-a-child-that-shares-memory.md).

Source: clone3(2), execve(2), credentials(7), prctl(2), ``commit_creds`` of Linux.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import signal
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn, TypeAlias

from nodeagent.mechanism import libc, machinecode

_NUMBERS: Final = {
    "read": (0, 63),
    "write": (1, 64),
    "ioctl": (16, 29),
    "fcntl": (72, 25),
    "dup3": (292, 24),
    "umask": (95, 166),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "getpid": (39, 172),
    "prctl": (157, 167),
    "unshare": (272, 97),
    "chroot": (161, 51),
    "chdir": (80, 49),
    "setgroups": (116, 159),
    "setresgid": (119, 149),
    "setresuid": (117, 147),
    "seccomp": (317, 277),
    "execve": (59, 221),
    "faccessat": (269, 48),
    "exit_group": (231, 94),
}
"""Of each call on x86_64, and elsewhere, as aarch64 has them. Source: ``asm/unistd.h``."""

_COLUMN: Final = 0 if platform.machine() == "x86_64" else 1
_CALL: Final = struct.Struct("=11q")
"""Number, six arguments, result; how many bytes ahead to go on after a failure; the (negative)
number of an error with a way of its own, and how many bytes ahead that is."""

_RESULT: Final = 7
_WORD_BYTES: Final = 8
_UNMADE: Final = 1 << 62
"""The result of a call that was not made yet; no call returns it."""

_LOWEST_ERROR: Final = -4095

_SIGNAL_SET_BYTES: Final = 8
_DEFAULT: Final = ctypes.create_string_buffer(32)
"""The kernel's word for what a signal does by itself, and its empty set of signals."""

_IGNORED: Final = ctypes.create_string_buffer(signal.SIG_IGN.to_bytes(8, "little"), 32)
_SUID_DUMPABLE: Final = Path("/proc/sys/fs/suid_dumpable")
_FAILED: Final = 127


def number_of(call: str) -> int:
    """The number of a system call on this machine."""
    return _NUMBERS[call][_COLUMN]


class Mark:
    """A place in a list that is known later."""

    index = -1


class Slot(NamedTuple):
    """Where the result of a call will be; as an argument of a later one, its address."""

    number: int


Argument: TypeAlias = int | Slot


class _Call(NamedTuple):
    name: str
    arguments: tuple[Argument, ...]
    otherwise: Mark | None = None
    error: int = 0
    instead: Mark | None = None


class Calls:
    """A list while it is made, and then what came of it. Each begins with signals as new."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._held: list[object] = []
        self._table: mmap.mmap | bytearray = bytearray()
        self._dumpable = -1

    def add(
        self,
        name: str,
        *arguments: Argument,
        otherwise: Mark | None = None,
        error: int = 0,
        instead: Mark | None = None,
    ) -> Slot:
        """Adds a call.

        Args:
            name: Of the call.
            arguments: Numbers, addresses of what the list holds, and of earlier results.
            otherwise: Where to go on where it fails; None: with the next one.
            error: One for which that is ``instead``.
            instead: See there.
        """
        self._calls.append(_Call(name, arguments, otherwise, error, instead))
        return Slot(len(self._calls) - 1)

    def place(self, mark: Mark) -> None:
        """What is added next stands there."""
        mark.index = len(self._calls)

    def end(self) -> None:
        """Adds the end of a child that could not execute anything."""
        self.add("exit_group", _FAILED)

    def ignore(self, number: int, *, ignored: bool) -> None:
        """From here on a signal is ignored, or not any more."""
        self._calls.append(_action(number, ctypes.addressof(_IGNORED if ignored else _DEFAULT)))

    def text(self, text: str | bytes) -> int:
        """The address of a text, for as long as the list is held.

        Raises:
            OSError: The kernel would take it for a shorter one.
        """
        data = os.fsencode(text)
        if b"\0" in data:
            raise OSError(errno.EINVAL, "a text with a zero byte in it")
        return self._hold(ctypes.create_string_buffer(data))

    def numbers(
        self, numbers: Sequence[int], kind: type[ctypes.c_uint32] | type[ctypes.c_uint64]
    ) -> int:
        """The address of some numbers, or of some addresses."""
        return self._hold((kind * len(numbers))(*numbers))

    def fork(self, cgroup: str) -> int:
        """Starts the child, born in that cgroup of version 2; empty: in ours. Its pid.

        Raises:
            OSError: It cannot share our memory, or the kernel or the cgroup is too old for that.
        """
        if any(call.name.startswith("setres") and any(call.arguments) for call in self._calls):
            # The kernel keeps a user from looking into a process whose ids have changed; where an
            # administrator allows it, that process must not have our memory.
            if _SUID_DUMPABLE.read_bytes().strip() == b"1":
                raise OSError(errno.EPERM, "fs.suid_dumpable")
            self._dumpable = libc.dumpable()
        self.prepare()
        arguments = libc.CloneArguments(
            flags=libc.CLONE_VM | libc.CLONE_CLEAR_SIGHAND, exit_signal=signal.SIGCHLD
        )
        directory = -1
        if cgroup:
            directory = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            arguments.flags |= libc.CLONE_INTO_CGROUP
            arguments.cgroup = directory
        try:
            return machinecode.start(arguments, self._address())
        finally:
            if directory >= 0:
                os.close(directory)

    def carry_out(self) -> NoReturn:
        """In a fork: makes the calls."""
        index = 0
        while True:
            number, *rest = _CALL.unpack_from(self._table, index * _CALL.size)
            result = libc.system_call(number, *rest[:6])
            offset = index * _CALL.size + _RESULT * _WORD_BYTES
            self._table[offset : offset + _WORD_BYTES] = result.to_bytes(8, "little", signed=True)
            ahead, error, special = rest[7:]
            if not _LOWEST_ERROR <= result < 0:
                ahead = _CALL.size
            elif result == error:
                ahead = special
            index += ahead // _CALL.size

    def close(self) -> None:
        """The child shares our memory no more."""
        if self._dumpable >= 0:
            libc.set_dumpable(self._dumpable)

    def result(self, slot: Slot) -> int | None:
        """What a call returned, an error as its negative number; None: it was not made."""
        offset = len(_PRELUDE) + slot.number * _CALL.size
        result: int = _CALL.unpack_from(self._table, offset)[_RESULT]
        return None if result == _UNMADE else result

    def prepare(self) -> None:
        """Nothing is added any more; a fork of this process can carry the list out."""
        self._table = mmap.mmap(-1, len(_PRELUDE) + len(self._calls) * _CALL.size)  # shared
        self._table[: len(_PRELUDE)] = _PRELUDE
        first = self._address() + len(_PRELUDE) + _RESULT * _WORD_BYTES
        for index, call in enumerate(self._calls):
            _pack(self._table, len(_PRELUDE), index, call, first)

    def _hold(self, buffer: ctypes.Array[Any]) -> int:  # Any: of whatever is in it
        self._held.append(buffer)
        return ctypes.addressof(buffer)

    def _address(self) -> int:
        return ctypes.addressof(ctypes.c_char.from_buffer(self._table))


def _pack(
    table: mmap.mmap | bytearray, offset: int, index: int, call: _Call, first: int = 0
) -> None:
    """Writes a call into a table whose calls begin at an offset; ``first`` is the first result."""
    six = [
        first + given.number * _CALL.size if isinstance(given, Slot) else given
        for given in (*call.arguments, 0, 0, 0, 0, 0, 0)[:6]
    ]
    otherwise, instead = (
        _CALL.size * (1 if mark is None else mark.index - index)
        for mark in (call.otherwise, call.instead)
    )
    words = (number_of(call.name), *six, _UNMADE, otherwise, -call.error, instead)
    _CALL.pack_into(table, offset + index * _CALL.size, *words)


def _prelude() -> list[_Call]:
    """Each signal does what it does by itself, and none is blocked."""
    numbers = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
    nothing = ctypes.addressof(_DEFAULT)
    return [
        *(_action(number, nothing) for number in numbers),
        _Call("rt_sigprocmask", (signal.SIG_SETMASK, nothing, 0, _SIGNAL_SET_BYTES)),
    ]


def _action(number: int, action: int) -> _Call:
    return _Call("rt_sigaction", (number, action, 0, _SIGNAL_SET_BYTES))


def _packed(calls: Sequence[_Call]) -> bytes:
    table = bytearray(len(calls) * _CALL.size)
    for index, call in enumerate(calls):
        _pack(table, 0, index, call)
    return bytes(table)


_PRELUDE: Final = _packed(_prelude())
