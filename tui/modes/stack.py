"""Who has the keys now: the last mode that asked for them."""

from __future__ import annotations

import asyncio

from tui.modes.mode import Mode
from tui.modes.pager import Pager
from tui.modes.panel import Panel


class ModeStack:
    """Modes that wait for their answers, the one on top with the keys."""

    def __init__(self) -> None:
        self._held: list[tuple[Mode, asyncio.Future[object]]] = []

    @property
    def top(self) -> Mode | None:
        """The one that has the keys; None while the person is at the table."""
        return self._held[-1][0] if self._held else None

    @property
    def panel(self) -> Panel | None:
        """The list at the side, where there is one."""
        return next((mode for mode, _ in reversed(self._held) if isinstance(mode, Panel)), None)

    @property
    def pager(self) -> Pager | None:
        """The text in the place of the table, where there is one."""
        return next((mode for mode, _ in reversed(self._held) if isinstance(mode, Pager)), None)

    def give(self, mode: Mode) -> asyncio.Future[object]:
        """Gives the keys to a mode from this very moment until it has answered or is given up."""
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._held.append((mode, answer))
        answer.add_done_callback(self._drop)
        return answer

    def press(self, key: str) -> bool:
        """Gives a key to the one on top; False where there is none."""
        if not self._held:
            return False
        mode, answer = self._held[-1]
        ended = mode.press(key)
        if ended is not None:
            self._drop(answer)  # whatever comes next is for whoever had the keys before
            answer.set_result(ended.value)
        return True

    def _drop(self, answer: asyncio.Future[object]) -> None:
        self._held = [held for held in self._held if held[1] is not answer]
