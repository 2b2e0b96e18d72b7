"""The settings, changed while one sees what they do, and kept when one is done."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Final, TypeVar

from ssi.model.errors import UsageError
from tui.desk import Desk
from tui.model.columns import COLUMNS
from tui.model.parts import Tone
from tui.modes.panel import Option, Panel
from tui.settings import Settings
from tui.settingsfile import load_settings, save_settings
from tui.theme import THEMES

EVERY_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0)

ValueT = TypeVar("ValueT")


async def setup(desk: Desk) -> None:
    """A list of settings; Enter changes one, Escape keeps them all."""
    before, cursor = desk.settings, 0
    while True:
        options = _options(desk.settings)
        panel = Panel("Settings", options, verb="Change", cancel="Keep", cursor=cursor)
        name = await desk.ask(panel)
        if not isinstance(name, str):
            break
        cursor = panel.cursor
        desk.adopt(await _changed(desk, name))
    if desk.settings == before:
        return
    changed = {
        field.name: getattr(desk.settings, field.name)
        for field in fields(before)
        if getattr(desk.settings, field.name) != getattr(before, field.name)
    }
    try:  # what was said on the command line is not kept with it
        path = save_settings(replace(load_settings(), **changed))
    except (OSError, UsageError) as exc:
        desk.say(f"not kept: {exc}", Tone.BAD)
    else:
        desk.say(f"kept in {path}", Tone.GOOD)


def _options(settings: Settings) -> list[Option]:
    told = {
        "theme": settings.theme,
        "every_s": f"{settings.every_s:g} s between looks",
        "cards": "nodes above" if settings.cards else "no nodes above",
        "columns": f"{len(settings.columns)} columns",
        "sort": f"begins sorted by {settings.sort}",
        "tree": "begins as a tree" if settings.tree else "begins as a list",
        "readonly": "read-only" if settings.readonly else "may change things",
    }
    return [Option(value=name, label=f"{name:<9} {text}") for name, text in told.items()]


async def _changed(desk: Desk, name: str) -> Settings:
    settings = desk.settings
    match name:
        case "theme":
            return replace(settings, theme=_after(tuple(THEMES), settings.theme))
        case "every_s":
            return replace(settings, every_s=_after(EVERY_S, settings.every_s))
        case "cards":
            return replace(settings, cards=not settings.cards)
        case "tree":
            return replace(settings, tree=not settings.tree)
        case "readonly":
            return replace(settings, readonly=not settings.readonly)
        case "sort":
            return replace(settings, sort=_after(tuple(COLUMNS), settings.sort))
        case _:
            return await _with_columns(desk)


async def _with_columns(desk: Desk) -> Settings:
    """Columns come and go by Enter, in the order of the list."""
    cursor = 0
    while True:
        shown = desk.settings.columns
        options = [
            Option(value=name, label=f"[{'x' if name in shown else ' '}] {column.title}")
            for name, column in COLUMNS.items()
            if name != "command"
        ]
        panel = Panel("Columns", options, verb="Show or hide", cancel="Done", cursor=cursor)
        name = await desk.ask(panel)
        if not isinstance(name, str):
            return desk.settings
        cursor = panel.cursor
        wanted = set(shown) ^ {name}
        columns = tuple(each for each in COLUMNS if each in wanted)
        desk.adopt(replace(desk.settings, columns=columns))


def _after(values: tuple[ValueT, ...], value: ValueT) -> ValueT:
    """The next of some values, round and round."""
    return values[(values.index(value) + 1) % len(values)] if value in values else values[0]
