"""Processes of the host: found by their pid files and command lines, ended with a limit."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

POLL_S = 0.01
_STARTTIME = 19
"""Position of ``starttime`` behind the name in /proc/PID/stat. Source: proc_pid_stat(5)."""


def pid_in(path: Path) -> int:
    """The process that a pid file names (``PID START``); 0 where it is gone."""
    try:
        pid, start = (int(word) for word in path.read_text().split())
        return pid if _start_ticks(pid) == start else 0
    except (OSError, ValueError):
        return 0


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def of_bundles(bundles: Path) -> Iterator[int]:
    """Every process that runs our code, and those that it forked: keeper, agent, shims, commands.

    What a job executes has a command line and an environment of its own, and is not among them.
    """
    own = {os.getpid(), os.getppid()}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in own:
            try:
                arguments = (entry / "cmdline").read_bytes().split(b"\0")
                environment = (entry / "environ").read_bytes().split(b"\0")
            except OSError:  # it ended, or is somebody else's
                continue
            if _is_ours(arguments, environment, bundles):
                yield int(entry.name)


def _is_ours(arguments: list[bytes], environment: list[bytes], bundles: Path) -> bool:
    program = os.path.basename(arguments[0])  # noqa: PTH119 - bytes, maybe no path
    # Agents call themselves ssi-agent and the like, with the place of their code behind it.
    if b"python" not in program and program != b"perl" and not program.startswith(b"ssi-"):
        return False
    path = os.fsencode(bundles) + b"/"
    return any(path in argument for argument in arguments[1:]) or any(
        each.startswith(b"PYTHONPATH=" + path) for each in environment
    )


def end(pids: Iterable[int], *, polite_s: float) -> list[int]:
    """Ends them: SIGTERM, and SIGKILL for those that live on. Those that survive even that."""
    waiting = [pid for pid in pids if pid and _send(pid, signal.SIGTERM)]
    left = _await_end(waiting, polite_s)
    return _await_end([pid for pid in left if _send(pid, signal.SIGKILL)], 2.0)


def _send(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _await_end(pids: list[int], limit_s: float) -> list[int]:
    give_up_at = time.monotonic() + limit_s
    while (pids := [pid for pid in pids if is_alive(pid)]) and time.monotonic() < give_up_at:
        time.sleep(POLL_S)
    return pids


def _start_ticks(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[_STARTTIME])
