"""A process of a node that has no terminal: its command line, its lock and its log."""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import nodeagent
from nodeagent.mechanism import libc
from nodeagent.mechanism.journal import journal_handlers

_ARG_START: Final = 45
"""Place of ``arg_start`` behind the name in /proc/PID/stat."""

_BOOT: Final = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
)


def own_lib() -> Path:
    """The directory that holds the code of this process."""
    assert nodeagent.__file__ is not None
    return Path(nodeagent.__file__).parent.parent


def daemon_command(module: str, options: Sequence[str]) -> list[str]:
    """The command line that runs a module with our code, whatever PYTHONPATH says."""
    boot = _BOOT.format(module=module)
    return [sys.executable, "-I", "-c", boot, str(own_lib()), *options]


def take_title(name: str, node: str) -> None:
    """``ps`` and ``top`` show ``name``, the node and where the code is, not what started Python.

    The words are written over those of the command line, which stays as long as it was: what does
    not fit is left out. Source: proc_pid_stat(5), ``arg_start`` and ``arg_end``.
    """
    libc.set_process_name(name)
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = (int(field) for field in fields[_ARG_START : _ARG_START + 2])
    words = b"\0".join(os.fsencode(word) for word in (name, node, str(own_lib())))
    if start:
        room = end - start
        ctypes.memmove(start, words[: room - 1].ljust(room, b"\0"), room)


def hold_lock(path: Path) -> int | None:
    """Holds a lock until this process ends: its descriptor; None where another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def open_log(path: Path, identifier: str) -> None:
    """Standard output and error, and what is logged, go to the end of a file; nothing is read.

    What is logged goes to the journal as well where systemd started us, by that identifier.
    """
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open("/dev/null", os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(log)
    logging.basicConfig(
        handlers=[logging.StreamHandler(), *journal_handlers(identifier)],
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
