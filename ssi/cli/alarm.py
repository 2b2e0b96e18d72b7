"""``--timeout`` of a command that works by itself: its end comes at any point, as ``^C`` does."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ssi.cli.settings import settings


@contextmanager
def limited(host: str, doing: str, again: str) -> Iterator[None]:
    """What is done within takes no longer than ``--timeout``.

    Args:
        host: What is worked on, for the message.
        doing: What is done with it.
        again: The command that finishes it.

    Raises:
        OutOfTime: It did.
    """
    after_s = settings().timeout_s
    if after_s is None:
        yield
        return

    def ring(_number: int, _frame: FrameType | None) -> None:
        from ssi.deploy.errors import OutOfTime

        raise OutOfTime(host=host, doing=doing, after_s=after_s, again=again)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, after_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
