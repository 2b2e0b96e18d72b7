"""What is called once several things have an answer. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol


class Awaited(Protocol):
    """Something that has no answer yet."""

    after: list[Callable[[], None]]
    """Called once it has one."""


def when_all(awaited: Collection[Awaited], then: Callable[[], None]) -> bool:
    """Calls ``then`` once all have been answered.

    Returns:
        False where there are none; then it is not called.
    """
    left = len(awaited)

    def one_less() -> None:
        nonlocal left
        left -= 1
        if not left:
            then()

    for each in awaited:
        each.after.append(one_less)
    return bool(awaited)
