"""What several of these tests run on."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from nodeagent.mechanism.loop import Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    """Leaves the signals of this process as they were."""
    before = signal.getsignal(signal.SIGCHLD)
    made = Loop()
    try:
        yield made
    finally:
        made.close()
        signal.signal(signal.SIGCHLD, before)
