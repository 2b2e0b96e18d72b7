"""A dumped job until it runs on, here or elsewhere: it does not run, and loses no signal."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from signal import Signals
from typing import Final

from nodeagent.mechanism import cgroup, queuedsignals
from nodeagent.mechanism.crimage import BadImage
from nodeagent.mechanism.pendingsignals import any_waits
from nodeagent.mechanism.procfs import is_dying
from ssi.model.sentsignal import SentSignal

_log: Final = logging.getLogger(__name__)


class Standstill:
    """Begins with the object.

    Args:
        pids: The processes that live.
        images: Of its dump.
        group: Directory of its cgroup; empty for none. Whoever sends SIGCONT from outside would
            have it run here and elsewhere, so it is frozen, if it is of version 2: what the freezer
            of version 1 holds cannot be killed.
        dumper: Pid of the CRIU that stopped it.
    """

    def __init__(self, pids: Iterable[int], images: Path, group: str, dumper: int) -> None:
        self._images = images
        self._dumper = dumper
        self._living = set(pids)
        self._known: dict[int, Counter[bytes]] = {}
        self._frozen = ""
        if group and cgroup.is_unified(group) and not cgroup.is_frozen(group):
            with suppress(OSError):
                cgroup.freeze(group)
                self._frozen = group

    def end(self) -> None:
        """It may run, or has been killed."""
        if self._frozen:
            with suppress(OSError):
                cgroup.thaw(self._frozen)
            self._frozen = ""

    def take(self) -> tuple[SentSignal, ...]:
        """What processes have sent to it since it was dumped, or since this was asked last.

        The end of a process is SIGKILL: nothing else ends one that is stopped. What is sent to a
        single thread but the first, as nobody does from outside, is found beside others only.
        """
        sent: list[SentSignal] = []
        for pid in sorted(self._living):
            if is_dying(pid):
                self._living.discard(pid)
                sent.append(SentSignal(pid=pid, number=Signals.SIGKILL))
            elif any_waits(pid):
                try:
                    sent += self._fresh(pid)
                except (OSError, BadImage) as exc:
                    _log.warning("event=signals-not-read pid=%d reason=%s", pid, exc)
        return tuple(sent)

    def _fresh(self, pid: int) -> list[SentSignal]:
        if pid not in self._known:
            threads = [int(name) for name in os.listdir(f"/proc/{pid}/task")]  # noqa: PTH208
            images = queuedsignals.read_image_queued(self._images, pid, threads)
            self._known[pid] = Counter(images)
        seen, fresh = Counter[bytes](), []
        for info in queuedsignals.read_queued(pid):
            seen[info] += 1
            if seen[info] > self._known[pid][info] and self._counts(info):
                number, value = queuedsignals.number_of(info), queuedsignals.value_of(info)
                fresh.append(SentSignal(pid=pid, number=number, value=value))
        self._known[pid] |= seen
        return fresh

    def _counts(self, info: bytes) -> bool:
        """Not what CRIU stopped it with; timers and files send theirs again where it goes on."""
        by_criu = queuedsignals.sender_of(info) == self._dumper
        stop = queuedsignals.number_of(info) == Signals.SIGSTOP
        return queuedsignals.is_of_a_process(info) and not (by_criu and stop)


def deliver(signals: Iterable[SentSignal]) -> None:
    """Sends to processes of the job here what was sent to them where it was before."""
    for each in signals:
        try:
            queuedsignals.send(each.pid, each.number, each.value)
        except OSError as exc:
            _log.warning("event=not-delivered signal=%s reason=%s", each, exc)
