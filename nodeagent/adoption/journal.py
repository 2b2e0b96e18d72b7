"""Adoptions under way, on disk: an agent after one that died knows whom that left stopped."""

from __future__ import annotations

import logging
import os
import signal
from contextlib import suppress
from pathlib import Path

import msgspec

from nodeagent.files import replace_file
from nodeagent.mechanism.pidfile import start_ticks
from ssi.model.unreadable import UNREADABLE

_log = logging.getLogger(__name__)


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """One that is under way.

    Attributes:
        gpid: Of the job to be.
        destination: Where it is to run.
        processes: Pid and start of each process, children before their parents.
        stopped: Pids of those that were stopped before.
        committed: They are to be killed, or have been: the job runs there, or nowhere.
    """

    gpid: int
    destination: str
    processes: tuple[tuple[int, int], ...]
    stopped: tuple[int, ...]
    committed: bool = False


class Journal:
    """The adoptions of this node, one file for each."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def write(self, adoption: Adoption) -> None:
        """Notes how far an adoption has come.

        Raises:
            OSError: The disk is full.
        """
        self._directory.mkdir(mode=0o700, exist_ok=True)
        replace_file(self._directory / str(adoption.gpid), msgspec.json.encode(adoption))

    def remove(self, gpid: int) -> None:
        """It is over."""
        (self._directory / str(gpid)).unlink(missing_ok=True)

    def read(self) -> list[Adoption]:
        """Those that an agent before this one left."""
        found = []
        if self._directory.is_dir():
            for path in self._directory.iterdir():
                try:
                    found.append(msgspec.json.decode(path.read_bytes(), type=Adoption))
                except (OSError, *UNREADABLE) as exc:
                    _log.warning("event=adoption-unreadable path=%s reason=%s", path, exc)
        return found


def wake(adoption: Adoption) -> None:
    """Continues what the dump stopped, children first, and only that."""
    for pid, ticks in adoption.processes:
        if pid not in adoption.stopped:
            _send(pid, ticks, signal.SIGCONT)


def open_processes(adoption: Adoption) -> list[int]:
    """Pidfds of those that are still there; each is readable once its process has ended."""
    found = []
    for pid, ticks in adoption.processes:
        with suppress(OSError):
            descriptor = os.pidfd_open(pid)
            if start_ticks(pid) == ticks:
                found.append(descriptor)
            else:
                os.close(descriptor)
    return found


def _send(pid: int, ticks: int, number: signal.Signals) -> None:
    with suppress(OSError):
        descriptor = os.pidfd_open(pid)
        try:
            if start_ticks(pid) == ticks:
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)
