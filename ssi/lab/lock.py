"""One at a time: a file lock with a limit, released by the kernel when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ssi.lab.errors import LabStepError

_POLL_S = 0.02


@contextmanager
def hold_lock(path: Path, *, timeout_s: float) -> Iterator[None]:
    """Nobody else holds the lock at ``path`` meanwhile. The file stays; it is empty.

    Raises:
        LabStepError: Somebody held it for longer than ``timeout_s``.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, path, timeout_s)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            if time.monotonic() > deadline:
                reason = f"another command held {path} for {timeout_s:g} s"
                raise LabStepError(step="waiting for the lab's lock", reason=reason) from exc
            time.sleep(_POLL_S)
        else:
            return
