"""What is around the prompt that only the session's node knows: branch, mode of editing, editor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shell.prompt.questions import SURROUNDINGS
from shell.prompt.seat import Seat

PATIENCE_S: Final = 2.0
"""How long the node may take: the prompt does not wait for it."""

MOST: Final = 200
"""Directories whose branch is remembered."""


class Surroundings:
    """As they were last seen.

    Args:
        changed: Called when something else is to be shown.

    Attributes:
        mode: ``emacs`` or ``vi``, as ``set -o`` of the session says.
        editor: ``$VISUAL`` or ``$EDITOR`` of the session.
    """

    def __init__(self, seat: Seat, changed: Callable[[], None]) -> None:
        self.mode = "emacs"
        self.editor = ""
        self._seat = seat
        self._changed = changed
        self._branches: dict[tuple[str, str], str] = {}

    @property
    def branch(self) -> str | None:
        """Of the repository around the directory; None where nobody has looked yet."""
        return self._branches.get(self._place())

    async def look(self) -> None:
        """Looks again."""
        place, before = self._place(), (self.mode, self.branch)
        answer = await self._seat.query(SURROUNDINGS, limit_s=PATIENCE_S)
        parts = (answer or b"").decode("utf-8", "replace").split("\0")
        if len(parts) != 4:
            return
        self.mode, branch, self.editor, _ = parts
        self._branches.pop(place, None)
        self._branches[place] = branch
        if len(self._branches) > MOST:
            del self._branches[next(iter(self._branches))]
        if place == self._place() and before != (self.mode, branch):
            self._changed()

    def _place(self) -> tuple[str, str]:
        return self._seat.where.node, self._seat.where.cwd
