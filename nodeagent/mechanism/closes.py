"""Being asked before a child closes a descriptor, by the kernel: the child waits for the answer.

What a process closes by ending, however it ends, is not asked about. Of the child's system calls
none but close(2) is looked at.

Source: seccomp_unotify(2), seccomp(2), ``linux/seccomp.h``; :mod:`nodeagent.mechanism.landlock`
for the instructions of a filter.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import struct
import threading
from contextlib import suppress
from typing import Final

from nodeagent.mechanism import libc
from nodeagent.mechanism.calls import number_of

SET_MODE_FILTER: Final = 1
NEW_LISTENER: Final = 1 << 3

_CLOSE: Final = 3 if platform.machine() == "x86_64" else 57
_LOAD_WORD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_JUMP_IF_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K
_RET_USER_NOTIF: Final = 0x7FC00000
_RET_ALLOW: Final = 0x7FFF0000
_NUMBER_OFFSET: Final = 0  # of seccomp_data.nr

_RECEIVE: Final = 0xC0502100  # SECCOMP_IOCTL_NOTIF_RECV
_SEND: Final = 0xC0182101  # SECCOMP_IOCTL_NOTIF_SEND
_ASKED: Final = struct.Struct("=QIIiIQ6Q")  # seccomp_notif
_FIRST_ARGUMENT: Final = 6
_ANSWER: Final = struct.Struct("=Qqii")  # seccomp_notif_resp
_CONTINUE: Final = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE
_NOT_ASKED: Final = frozenset({errno.ENOENT, errno.EINTR, errno.EAGAIN})


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _code() -> bytes:
    instructions = (
        (_LOAD_WORD, 0, 0, _NUMBER_OFFSET),
        (_JUMP_IF_EQUAL, 0, 1, _CLOSE),
        (_RETURN, 0, 0, _RET_USER_NOTIF),
        (_RETURN, 0, 0, _RET_ALLOW),
    )
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


_FILTER: Final = _Program(len(_code()) // 8, _code())


def asking() -> tuple[int, int, int]:
    """Arguments of seccomp(2), whose result is the descriptor of the listener: close-on-exec."""
    return SET_MODE_FILTER, NEW_LISTENER, ctypes.addressof(_FILTER)


def are_told() -> bool:
    """Whether the kernel lets a child ask, and us have its listener; tried by a thread that ends.

    Not in a container whose own filter of seccomp(2) has a listener, or forbids it; nor where
    ptrace(2) is forbidden.
    """
    told: list[int] = []

    def ask() -> None:  # from here on this thread must close nothing
        told.append(libc.system_call(number_of("seccomp"), *asking()))

    asker = threading.Thread(target=ask)
    asker.start()
    asker.join()
    (number,) = told
    if number < 0:
        return False
    try:
        os.close(libc.descriptor_of(os.getpid(), number))
    except OSError:
        return False
    finally:
        os.close(number)
    return True


class Listener:
    """Hears of each close(2) of a process and of those it forks.

    Args:
        descriptor: Of our own; readable when one waits for :meth:`answer`.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._asked = 0

    def hear(self) -> int | None:
        """The number that is to be closed; None where nobody asks any more, as it was killed.

        Raises:
            OSError: Nobody ever will.
        """
        buffer = bytearray(_ASKED.size)
        try:
            fcntl.ioctl(self.descriptor, _RECEIVE, buffer)
        except OSError as exc:
            if exc.errno in _NOT_ASKED:
                return None
            raise
        words: tuple[int, ...] = _ASKED.unpack(buffer)
        self._asked = words[0]
        return words[_FIRST_ARGUMENT] & 0xFFFFFFFF

    def answer(self) -> None:
        """It is closed."""
        answer = bytearray(_ANSWER.pack(self._asked, 0, 0, _CONTINUE))
        with suppress(FileNotFoundError):  # it was killed meanwhile
            fcntl.ioctl(self.descriptor, _SEND, answer)
