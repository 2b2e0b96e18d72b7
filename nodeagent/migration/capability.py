"""Whether jobs can move from and to this node: root, CRIU, its version, the processor."""

from __future__ import annotations

import logging
import os
import subprocess

from nodeagent.mechanism import livememory
from nodeagent.mechanism.cpu import check_cpu, dump_cpu
from nodeagent.mechanism.criu import find_criu
from nodeagent.mechanism.hostmetrics import CriuProbe
from ssi.model.examination import is_criu_too_old
from ssi.model.migration import Live

_log = logging.getLogger(__name__)


class Capability:
    """Read once, at the first move; a CRIU that is installed later is found at the next."""

    def __init__(self) -> None:
        self.path = ""
        self.version = ""
        self.cpu = b""
        self.tracks_writes = False
        """The kernel tells which pages were written to, as memory that goes ahead needs."""
        self._known: dict[bytes, str] = {}
        """Why a processor's jobs cannot run here, by its image: processors do not change."""

    def refresh(self) -> None:
        """Finds CRIU and what the processor can do. Blocks for some 20 ms the first time."""
        if self.path and self.cpu:
            return
        self.path = find_criu()
        self.version = CriuProbe().version()
        self.tracks_writes = livememory.tracks_writes()
        try:
            self.cpu = dump_cpu(self.path) if self.path else b""
        except (OSError, subprocess.TimeoutExpired) as exc:
            _log.warning("event=cpu-unknown reason=%s", exc)

    def blockers(self) -> list[str]:
        """Why nothing can move from or to here, each in a sentence."""
        if os.geteuid() != 0:
            return ["its agent does not run as root, which CRIU needs"]
        if not self.path:
            return ["criu is not installed (apt-get install criu)"]
        return []

    def live_blockers(self, live: Live) -> list[str]:
        """Why memory cannot travel that way from here."""
        if live is not Live.PRE or self.tracks_writes:
            return []
        return [
            f"--live pre cannot be: kernel {os.uname().release} does not tell which pages are "
            "written to (CONFIG_MEM_SOFT_DIRTY); use --live stop, or post and its risk"
        ]

    def socket_blockers(self) -> list[str]:
        """Why a job with internet sockets cannot move from or to here."""
        kernel = os.uname().release
        if is_criu_too_old(self.version, kernel):
            return [f"criu {self.version} cannot carry its sockets on kernel {kernel}; 4.2 can"]
        return []

    def misfits(self, criu: str, cpu: bytes) -> list[str]:
        """Why a job dumped with that CRIU on that processor cannot be restored here."""
        found = []
        if criu != self.version:
            found.append(f"criu is {self.version or 'missing'} here and {criu} at the source")
        if cpu and self.path:
            try:
                if cpu not in self._known:
                    self._known[cpu] = check_cpu(self.path, cpu)
                reason = self._known[cpu]
            except (OSError, subprocess.TimeoutExpired) as exc:
                reason = str(exc)
            if reason:
                found.append(f"this processor lacks what the source's has: {reason}")
        return found
