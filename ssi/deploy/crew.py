"""Works on many hosts at once, for as long as there is time."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from ssi.model.errors import SsiError

AT_A_TIME: Final = 16
"""Hosts that are worked on at once: SSH handshakes keep a core busy for 50 ms each."""

HostT = TypeVar("HostT")


def work_on(
    hosts: Sequence[HostT],
    work: Callable[[HostT], None],
    ended: Callable[[HostT, SsiError | None], None],
    left_s: Callable[[], float | None],
) -> list[HostT]:
    """Does the work for each host, each in a thread; those that were not through in time.

    What still runs then is left to end with its connection or with this process, and what becomes
    of it is not looked at any more.

    Args:
        hosts: Any number.
        work: Fails with an SsiError; anything else is raised here.
        ended: Is told in this thread of each host that is through, with why it failed.
        left_s: The time that is left; None to wait for all of them.
    """
    waiting = deque(enumerate(hosts))
    results: queue.SimpleQueue[tuple[int, Exception | None]] = queue.SimpleQueue()
    over = threading.Event()

    def labour() -> None:
        while not over.is_set():
            try:
                number, host = waiting.popleft()
            except IndexError:
                return
            try:
                work(host)
            except Exception as exc:  # the rim of a thread: raised again by the one that asked
                results.put((number, exc))
            else:
                results.put((number, None))

    for _ in range(min(AT_A_TIME, len(hosts))):
        # A daemon, so that one that hangs in a connect(2) does not hold up the end of the command.
        threading.Thread(target=labour, daemon=True).start()
    left = dict(enumerate(hosts))
    try:
        while left:
            number, error = results.get(timeout=left_s())
            if error is not None and not isinstance(error, SsiError):
                raise error
            ended(left.pop(number), error)
    except queue.Empty:
        return list(left.values())
    finally:
        over.set()
    return []
