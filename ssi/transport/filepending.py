"""A request to a file server that waits for its answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ssi.protocol.fileframes import Asked
from ssi.protocol.filereplies import FileReply

Then = Callable[[int, FileReply | None, memoryview], None]
"""Takes the outcome: 0 or an errno, the reply, and the bytes behind it."""


@dataclass(eq=False, slots=True)
class Pending:
    """One request.

    Attributes:
        within_s: For how long it is waited for, from when it is sent, or could be.
        due_s: When it is given up, unless the server tells until then that it is at it.
        until_s: When it is given up whatever the server tells.
        is_counted: It takes a place in the window.
        cost_bytes: What it takes of the window.
        sent: Over the connection that stands.
        sent_s: When.
        is_direct: Over the direct one.
        is_over: Nobody waits for it any more.
    """

    asked: Asked
    data: bytes | memoryview
    then: Then
    within_s: float
    due_s: float
    cost_bytes: int
    until_s: float = math.inf
    is_counted: bool = True
    sent: bool = False
    sent_s: float = 0.0
    is_direct: bool = False
    is_over: bool = False
