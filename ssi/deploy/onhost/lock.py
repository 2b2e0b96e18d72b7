"""One deployment at a time on a host; the kernel releases the lock of one that died."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from ssi.deploy.onhost.wire import Failed


def hold(path: Path, holder: str, timeout_s: float) -> int:
    """A descriptor that holds the lock until it is closed.

    Raises:
        Failed: Somebody else held it for all of ``timeout_s``, or the holder has it already.
    """
    give_up_at = time.monotonic() + timeout_s
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if _take(descriptor, path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, holder.encode(), 0)
            return descriptor
        other = os.pread(descriptor, 200, 0).decode(errors="replace")
        os.close(descriptor)
        if other == holder:  # reached by two names, one deployment would wait for itself
            raise Failed("host-twice", node="")
        if time.monotonic() > give_up_at:
            raise Failed("host-busy", holder=other or "unknown", after_s=timeout_s)
        time.sleep(0.05)


def _take(descriptor: int, path: Path) -> bool:
    """Whether the lock is ours, and its file still the one that others will open."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except (BlockingIOError, FileNotFoundError):  # a removal took the file away with the lock
        return False
