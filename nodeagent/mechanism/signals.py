"""Signals to exactly the process that was meant."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from nodeagent.mechanism.threads import state_of, thread_directories


def send(pid: int, number: int) -> None:
    """Sends a signal to a process that cannot have been replaced meanwhile, as of a job.

    Raises:
        ProcessLookupError: There is none.
    """
    os.kill(pid, number)


def send_checked(pid: int, number: int, caller_uid: int, is_still: Callable[[], bool]) -> None:
    """Sends a signal through a pidfd, if the process is still the one that was meant.

    The descriptor is opened first and the identity checked after, so a pid that is used again in
    between is noticed (pidfd_send_signal(2)).

    Args:
        pid: On this host.
        number: The signal; 0 only checks.
        caller_uid: On whose behalf, under the rule of kill(2): root may, and whose uid is the
            target's real or saved one; SIGCONT within a session is not looked at.
        is_still: Whether the process of that pid is the one that was meant.

    Raises:
        ProcessLookupError: It is gone.
        PermissionError: The caller may not.
    """
    descriptor = os.pidfd_open(pid)
    try:
        if not is_still():
            raise ProcessLookupError
        if caller_uid != 0 and caller_uid not in _real_and_saved_uid(pid):
            raise PermissionError
        signal.pidfd_send_signal(descriptor, number)
    finally:
        os.close(descriptor)


def has_stopped(pid: int) -> bool:
    """Whether no thread of a process runs any more: each is stopped, or has ended.

    A signal stops one thread after the other; each goes on until the kernel comes to it.
    Source: signal(7), proc_pid_stat(5).
    """
    return all(state_of(thread) in "TtZX" for thread in thread_directories(pid))


def _real_and_saved_uid(pid: int) -> set[int]:
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
    except FileNotFoundError as exc:
        raise ProcessLookupError from exc
    line = next(line for line in status.splitlines() if line.startswith(b"Uid:"))
    real, _effective, saved, _file_system = (int(word) for word in line.split()[1:5])
    return {real, saved}
