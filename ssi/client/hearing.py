"""Who hears a signal: whoever asked last, and the one before him again when he has done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

_hearers: dict[int, list[Callable[[], object]]] = {}
"""By signal, the last one hears. ``remove_signal_handler`` alone would put back Python's own, which
ends a shell at ^C between two programs."""


@contextmanager
def hearing(numbers: Sequence[int], hear: Callable[[int], object]) -> Iterator[None]:
    """Calls ``hear`` on the loop with each of these signals that comes."""
    loop = asyncio.get_running_loop()
    own = {number: partial(hear, number) for number in numbers}
    for number, hearer in own.items():
        _hearers.setdefault(number, []).append(hearer)
        loop.add_signal_handler(number, hearer)
    try:
        yield
    finally:
        for number, hearer in own.items():
            _hearers[number].remove(hearer)
            if _hearers[number]:
                loop.add_signal_handler(number, _hearers[number][-1])
            else:
                loop.remove_signal_handler(number)


def nothing(_number: int) -> None:
    """Hears a signal, and that is all."""
