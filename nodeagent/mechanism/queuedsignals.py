"""Signals that were sent to a process and that it has not taken yet, whole, as they were sent.

Source: ptrace(2) for PTRACE_PEEKSIGINFO, sigaction(2) for ``siginfo_t``, sigqueue(3), CRIU 4.2
``images/core.proto`` and ``images/siginfo.proto``.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from nodeagent.mechanism import libc
from nodeagent.mechanism.crimage import BadImage, decode_fields, split_image

INFO_BYTES: Final = 128
"""Of one signal: ``siginfo_t`` on every 64-bit Linux."""

_WAIT_S: Final = 0.2
"""For a process that does not run anyway to stand still before whoever looks at it."""

_POLL_S: Final = 0.0005
_AT_ONCE: Final = 32
_SHARED: Final = 1
_NUMBER, _CODE, _SENDER, _VALUE = slice(0, 4), slice(8, 12), slice(16, 20), slice(24, 32)
_SI_USER, _SI_QUEUE, _SI_TKILL = 0, -1, -6
_BY_PROCESSES: Final = frozenset({_SI_USER, _SI_QUEUE, _SI_TKILL})
_TASK, _THREAD = 3, 5
_OF_TASK, _OF_THREAD = 10, 9


def number_of(info: bytes) -> int:
    """Which signal it is."""
    return int.from_bytes(info[_NUMBER], "little")


def sender_of(info: bytes) -> int:
    """Pid of the process that sent it, as the receiver sees it; 0 where it sees it not."""
    return int.from_bytes(info[_SENDER], "little")


def value_of(info: bytes) -> int | None:
    """What was sent along, by sigqueue(3); None: nothing can be."""
    if int.from_bytes(info[_CODE], "little", signed=True) != _SI_QUEUE:
        return None
    return int.from_bytes(info[_VALUE], "little", signed=True)


def is_of_a_process(info: bytes) -> bool:
    """Whether a process has sent it, by kill(2) or the like; else a timer, a file or a fault."""
    return int.from_bytes(info[_CODE], "little", signed=True) in _BY_PROCESSES


def send(pid: int, number: int, value: int | None = None) -> None:
    """Sends a signal as by kill(2), or with a value as by sigqueue(3).

    Raises:
        OSError: There is no such process or signal, or too many of them wait.
    """
    if value is None:
        os.kill(pid, number)
    else:
        libc.sigqueue(pid, number, value)


def read_queued(pid: int) -> list[bytes]:
    """All that waits for a process that stands still, for it or one of its threads.

    The caller must have one thread, and the process must be stopped or frozen. It is traced
    meanwhile, which it cannot notice.

    Raises:
        OSError: It has ended, is traced by somebody else, or does not stand still.
    """
    found: list[bytes] = []
    threads = [int(name) for name in os.listdir(f"/proc/{pid}/task")]  # noqa: PTH208
    for thread in threads:
        libc.ptrace(libc.PTRACE_SEIZE, thread)
        try:
            libc.ptrace(libc.PTRACE_INTERRUPT, thread)
            _await_stop(thread)
            found += _peek(thread, 0)
            if thread == pid:
                found += _peek(thread, _SHARED)
        finally:
            with suppress(OSError):
                libc.ptrace(libc.PTRACE_DETACH, thread)
    return found


def read_image_queued(images: Path, pid: int, threads: list[int]) -> list[bytes]:
    """All that waited for a process when CRIU read it.

    Raises:
        BadImage: An image is not as we know it.
        OSError: It cannot be read.
    """
    found: list[bytes] = []
    for thread in threads:
        _head, entries = split_image((images / f"core-{thread}.img").read_bytes())
        core = entries[0] if entries else b""
        for part in _parts(core, _THREAD):
            found += _infos(part, _OF_THREAD)
        if thread == pid:
            for part in _parts(core, _TASK):
                found += _infos(part, _OF_TASK)
    return found


def _infos(entry: bytes, number: int) -> Iterator[bytes]:
    for queue in _parts(entry, number):
        for one in _parts(queue, 1):
            yield from _parts(one, 1)


def _parts(entry: bytes, number: int) -> Iterator[bytes]:
    for field in decode_fields(entry):
        if field.number == number:
            if not isinstance(field.value, bytes):
                raise BadImage(f"field {number} is a number")
            yield field.value


def _await_stop(thread: int) -> None:
    give_up_at_s = time.monotonic() + _WAIT_S
    while os.waitpid(thread, os.WNOHANG | libc.WALL)[0] != thread:
        if time.monotonic() > give_up_at_s:
            raise TimeoutError(f"{thread} does not stand still")
        time.sleep(_POLL_S)


class _Peek(ctypes.Structure):
    """``struct ptrace_peeksiginfo_args`` of ptrace(2)."""

    _fields_ = (("off", ctypes.c_uint64), ("flags", ctypes.c_uint32), ("nr", ctypes.c_int32))


def _peek(thread: int, flags: int) -> Iterator[bytes]:
    room = ctypes.create_string_buffer(INFO_BYTES * _AT_ONCE)
    seen = 0
    while True:
        asked = _Peek(seen, flags, _AT_ONCE)
        count = libc.ptrace(
            libc.PTRACE_PEEKSIGINFO, thread, ctypes.addressof(asked), ctypes.addressof(room)
        )
        for index in range(count):
            yield room.raw[index * INFO_BYTES : (index + 1) * INFO_BYTES]
        seen += count
        if count < _AT_ONCE:
            return
