"""Answers of the tables of users and groups, kept a while: each look reads files or a network."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

REMEMBERED_S: Final = 30.0
MAX_REMEMBERED: Final = 10_000

_KeyT = TypeVar("_KeyT")
_ValueT = TypeVar("_ValueT")


class Remembered:
    """See the module. Any thread."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, object], tuple[float, object]] = {}

    def ask(
        self, kind: str, key: _KeyT, find: Callable[[_KeyT], _ValueT], *, absent: bool = True
    ) -> _ValueT | None:
        """What ``find`` returns; None where it raises ``KeyError``.

        Args:
            kind: What is asked for.
            key: Of whom.
            find: Looks into the table.
            absent: That there is none is kept as well.
        """
        known = self._known.get((kind, key))
        now_s = time.monotonic()
        if known is not None and now_s - known[0] < REMEMBERED_S:
            return known[1]  # type: ignore[return-value]
        try:
            found: _ValueT | None = find(key)
        except KeyError:
            found = None
        if found is None and not absent:
            return None
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[kind, key] = (now_s, found)
        return found
