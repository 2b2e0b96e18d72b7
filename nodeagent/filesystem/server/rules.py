"""The export rules of this node as they are now: its file of exports, and its mounts."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterable
from pathlib import Path

from nodeagent.filesystem.server.exports import (
    Export,
    Exports,
    noting_devices,
    parse_exports,
    unserved_mounts,
)


class CurrentRules:
    """Follows the exports and the mounts.

    Args:
        own: What is ssi's own, and never served, absolute.
        exports: File of exports; one that is not there serves all. None: what :meth:`serve` says,
            and nothing until then.
    """

    def __init__(self, own: Iterable[Path], exports: Path | None) -> None:
        self._own = tuple(os.fsencode(path.resolve()).strip(b"/") for path in own)
        self._exports = exports
        self._told: tuple[Export, ...] = ()
        self._lock = threading.Lock()
        self._stamp: int | None = -1
        self._mounts = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._poller = select.poll()
        self._poller.register(self._mounts, select.POLLPRI | select.POLLERR)
        self._hidden: tuple[bytes, ...] = ()
        self._noting: frozenset[int] = frozenset()
        self.now = Exports((), self._own)
        """The rules; replaced whole when something changes, so any thread may read them."""
        self._read_mounts()
        self.refresh()

    def serve(self, exports: Iterable[Export]) -> None:
        """These are served from now on; any thread."""
        with self._lock:
            self._told, self._stamp = tuple(exports), -1
            self._look()

    def refresh(self) -> None:
        """Looks whether exports or mounts have changed; any thread."""
        with self._lock:
            self._look()

    def _look(self) -> None:
        changed = bool(self._poller.poll(0))
        if changed:
            self._read_mounts()
        stamp = _stamp(self._exports)
        if changed or stamp != self._stamp:
            self._stamp = stamp
            self.now = Exports(self._served(stamp), (*self._own, *self._hidden), self._noting)

    def _served(self, stamp: int | None) -> tuple[Export, ...]:
        if self._exports is None:
            return self._told
        if stamp is None:
            return (Export(b""),)
        return parse_exports(self._exports.read_text(encoding="utf-8", errors="replace"))

    def _read_mounts(self) -> None:
        os.lseek(self._mounts, 0, os.SEEK_SET)
        parts = []
        while part := os.read(self._mounts, 65536):
            parts.append(part)
        mountinfo = b"".join(parts)
        self._hidden, self._noting = unserved_mounts(mountinfo), noting_devices(mountinfo)


def _stamp(path: Path | None) -> int | None:
    try:
        return None if path is None else path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
