"""A signal that one process has sent to another."""

from __future__ import annotations

import msgspec


class SentSignal(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """See the module.

    Attributes:
        pid: Of the receiver, as its job sees it.
        number: Which signal.
        value: What came along, by sigqueue(3); None for one of kill(2), which has nothing.
    """

    pid: int
    number: int
    value: int | None = None
