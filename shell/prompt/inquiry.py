"""Asks nodes whether the words of the line are commands and paths there, while it is typed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from shell.prompt import questions
from shell.prompt.knowledge import Knowledge
from shell.prompt.seat import Seat

PATIENCE_S: Final = 2.0
"""How long a node may take: until then its words have no colour."""

PAUSE_S: Final = 0.1
"""Between two questions: what is typed meanwhile goes into one, for another node starts a job for
each of them."""


class Inquiry:
    """Takes what is open of the knowledge, and brings answers.

    Args:
        changed: Called when there are new answers.
    """

    def __init__(self, seat: Seat, knowledge: Knowledge, changed: Callable[[], None]) -> None:
        self._seat = seat
        self._knowledge = knowledge
        self._changed = changed
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """There may be open questions."""
        self._wanted.set()

    async def serve(self) -> None:
        """Asks for ever, one node at a time."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if await self.ask_once():
                self.wake()  # for what is open of other nodes
                await asyncio.sleep(PAUSE_S)

    async def ask_once(self) -> bool:
        """Asks one node what is open; whether there was anything."""
        chosen = self._knowledge.take_open()
        if not chosen:
            return False
        answer = await self._seat.query(
            questions.check(chosen), node=chosen[0].node, limit_s=PATIENCE_S
        )
        before = self._knowledge.generation
        self._knowledge.learn(chosen, (each == ord("1") for each in answer or b""))
        if self._knowledge.generation != before:
            self._changed()
        return True
