"""One picture of the system as text, for scripts."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from ssi.client.system import System
from tui.model.browser import Browser
from tui.model.cards import node_lines
from tui.model.census import Census
from tui.model.choice import Choice
from tui.model.columns import OF_GPUS
from tui.model.parts import text_of
from tui.model.sheet import header_parts, layout_of, row_parts
from tui.settings import Settings
from tui.watch import PATIENCE_S, Watch

APART_S: Final = 0.5
"""Two looks so far from each other tell how busy everything is now."""


async def one_frame(system: System, settings: Settings, columns: int) -> str:
    """The nodes and all processes, a line each.

    Raises:
        SsiError: The agent at the door does not answer.
    """
    browser = Browser(Census(), Choice(sort=settings.sort, tree=settings.tree))
    watch = Watch(system, browser.census, settings.every_s)
    watch.with_gpus = not {*settings.columns, settings.sort}.isdisjoint(OF_GPUS)
    await watch.look_once(PATIENCE_S)
    await asyncio.sleep(APART_S)
    await watch.look_once(PATIENCE_S)
    now_s = time.monotonic()
    browser.rearrange(now_s)
    ages = {
        name: browser.census.age_s(name, now_s)
        for name in browser.census.sheets
        if browser.census.is_stale(name, now_s)
    }
    layout = layout_of(browser, columns, has_stale=bool(ages))
    lines = node_lines(watch.nodes, watch.meters, columns=columns, lines=1000)
    lines += [[], header_parts(layout, browser)]
    lines += [row_parts(layout, line, browser, ages.get(line.entry.node)) for line in browser.lines]
    return "".join(f"{text_of(line)[:columns].rstrip()}\n" for line in lines)
