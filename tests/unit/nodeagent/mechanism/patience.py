"""What is about to happen to a process."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 30.0


def eventually(is_so: Callable[[], bool]) -> None:
    """Waits until it is so, and fails where it never is."""
    give_up_at_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < give_up_at_s, "it never came"
        time.sleep(0.002)
