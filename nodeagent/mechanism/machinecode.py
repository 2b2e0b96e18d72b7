"""Machine code that starts a child in our memory, and in it makes one system call after the other.

The child has neither a stack nor an interpreter of its own: it reads a table, writes the result of
each call into it, and goes on where the table says (:mod:`nodeagent.mechanism.calls`).

Source: clone3(2), syscall(2), System V ABI for x86_64.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
from typing import Final

from nodeagent.mechanism import libc

_MACHINE_CODE: Final = bytes.fromhex(
    "b8b3010000"  # start:   mov eax, 435            clone3(rdi, rsi)
    "0f05"  #                syscall
    "4885c0"  #              test rax, rax
    "7401"  #                jz child
    "c3"  #                  ret
    "4889d3"  #     child:   mov rbx, rdx            the table
    "488b03"  #     next:    mov rax, [rbx]
    "488b7b08"  #            mov rdi, [rbx+8]
    "488b7310"  #            mov rsi, [rbx+16]
    "488b5318"  #            mov rdx, [rbx+24]
    "4c8b5320"  #            mov r10, [rbx+32]
    "4c8b4328"  #            mov r8, [rbx+40]
    "4c8b4b30"  #            mov r9, [rbx+48]
    "0f05"  #                syscall
    "48894338"  #            mov [rbx+56], rax
    "483d01f0ffff"  #        cmp rax, -4095
    "7306"  #                jae failed
    "4883c358"  #            add rbx, 88
    "ebd1"  #                jmp next
    "483b4348"  #   failed:  cmp rax, [rbx+72]
    "7406"  #                je special
    "48035b40"  #            add rbx, [rbx+64]
    "ebc5"  #                jmp next
    "48035b50"  #   special: add rbx, [rbx+80]
    "ebbf"  #                jmp next
)
_Entry: Final = ctypes.PYFUNCTYPE(ctypes.c_long, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
"""Called with the interpreter's lock held: no thread is to change what the child reads."""


class _Code:
    """The code, in memory that can be executed.

    Raises:
        OSError: There is none for this machine, or it forbids to execute what was written, as
            SELinux can, or ``MemoryDenyWriteExecute`` of systemd.
    """

    def __init__(self) -> None:
        if platform.machine() != "x86_64":
            raise OSError(errno.ENOSYS, "no machine code for this machine")
        self._memory = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._memory[: len(_MACHINE_CODE)] = _MACHINE_CODE
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        libc.make_executable(address, mmap.PAGESIZE)
        self.start = _Entry(address)


def _load() -> tuple[_Code | None, str]:
    try:
        return _Code(), ""
    except OSError as exc:
        return None, exc.strerror or str(exc)


_code, why_not = _load()
"""Made before any fork, so that none has to; and why there is none, else empty."""


def start(arguments: libc.CloneArguments, table: int) -> int:
    """The pid of a child that carries out the table at that address.

    Raises:
        OSError: It cannot be had, or clone3(2) refused.
    """
    if _code is None:
        raise OSError(errno.ENOSYS, "no machine code here")
    pid: int = _code.start(ctypes.addressof(arguments), ctypes.sizeof(arguments), table)
    if pid < 0:
        raise OSError(-pid, os.strerror(-pid))
    return pid
