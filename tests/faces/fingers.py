"""A person at `ssi top`, and the stories that are told of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from textual.pilot import Pilot

from tests.faces.mesh import Mesh
from tui.top import Top

LIMIT_S = 60.0
"""Nothing that is waited for takes so long, however busy the machine is."""


class Fingers:
    """A person at `ssi top`, in front of a system that is not there."""

    def __init__(self, mesh: Mesh, top: Top, pilot: Pilot[int]) -> None:
        self.mesh = mesh
        self.top = top
        self._pilot = pilot

    async def press(self, *keys: str) -> None:
        """Presses keys one after the other."""
        await self._pilot.press(*keys)

    async def type(self, text: str) -> None:
        """Types a text."""
        names = {" ": "space", "=": "equals_sign", ">": "greater_than_sign"}
        names |= {"!": "exclamation_mark", "|": "vertical_line", "@": "at"}
        await self._pilot.press(*(names.get(character, character) for character in text))

    async def click(self, part: str, x: int, y: int) -> None:
        """Clicks on a part of the screen."""
        await self._pilot.click(f"#{part}", offset=(x, y))

    def screen(self) -> str:
        """What is shown now."""
        strips = self.top.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    def rows(self) -> list[str]:
        """The gpids in the table, from top to bottom."""
        return [str(line.entry.row.gpid) for line in self.top.browser.lines]

    async def sees(self, *texts: str) -> None:
        """Waits until all of the texts are on the screen."""
        await self.until(lambda: all(text in self.screen() for text in texts), f"to see {texts}")

    async def misses(self, text: str) -> None:
        """Waits until a text is not on the screen."""
        await self.until(lambda: text not in self.screen(), f"not to see {text!r}")

    async def until(self, happened: Callable[[], bool], what: str) -> None:
        """Waits until something is so."""
        loop = asyncio.get_running_loop()
        give_up_at_s = loop.time() + LIMIT_S
        while not happened():
            assert loop.time() < give_up_at_s, f"{what}; what is seen:\n{self.screen()}"
            await self._pilot.pause(0.02)

    async def go_to(self, gpid: int) -> None:
        """Puts the cursor on a process by typing its number."""
        await self.type(str(gpid))
        await self.press("enter")
        current = self.top.browser.current
        assert current is not None
        assert current.row.gpid == gpid


Story: TypeAlias = Callable[[Fingers], Coroutine[Any, Any, None]]
