"""A request to a file server that waits for its answer."""

from __future__ import annotations

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
        due_s: When it is given up; infinite for one that may wait.
        cost_bytes: What it takes of the window.
        sent: Over the connection that stands.
        is_direct: Over the direct one.
    """

    asked: Asked
    data: bytes | memoryview
    then: Then
    due_s: float
    cost_bytes: int
    sent: bool = False
    is_direct: bool = False
