"""Which processes are seen, and in which order."""

from __future__ import annotations

from dataclasses import replace

from ssi.model.errors import SsiError
from ssi.view.text import plain
from tui.desk import Desk
from tui.model.browser import users_of
from tui.model.choice import Choice
from tui.model.columns import COLUMNS, OF_GPUS, with_gpus
from tui.model.parts import Tone
from tui.model.query import parse_query
from tui.model.views import OF_PROCESSES, PROCESSES, TRAFFIC
from tui.modes.panel import Option, Panel
from tui.modes.prompt import Prompt


async def search(desk: Desk) -> None:
    """Goes to a process as it is typed; F3 to the next one, Shift-F3 to the one before."""
    browser, start = desk.browser, desk.browser.cursor
    browser.following = None

    def look(text: str) -> None:
        found = browser.find(text, desk.now_s(), start=start)
        if text and not found:
            desk.say(f"no process has {text!r} in its command", Tone.WARN)

    def again(step: int) -> None:
        if browser.lines:
            place = browser.cursor + step
            browser.find(prompt.line.text, desk.now_s(), step=step, start=place)

    prompt = Prompt(
        "Search:",
        check=look,
        keys={"f3": lambda: again(1), "shift+f3": lambda: again(-1), "down": lambda: again(1)},
        labels=(("F3", "Next"), ("S-F3", "Prev"), ("Enter", "Done"), ("Esc", "Cancel")),
    )
    if await desk.ask(prompt) is None:
        browser.move_to(start, desk.now_s())


async def filter_rows(desk: Desk) -> None:
    """Shows only what fits, while it is typed; an empty filter shows all."""
    before = desk.browser.choice

    def narrow(text: str) -> None:
        now = desk.browser.choice
        desk.browser.choose(replace(now, query=parse_query(text)), desk.now_s())

    prompt = Prompt("Filter:", text=before.query.text, check=narrow)
    if await desk.ask(prompt) is None:
        desk.browser.choose(replace(desk.browser.choice, query=before.query), desk.now_s())


async def sort(desk: Desk) -> None:
    """The column to sort by, from a list."""
    options = [
        Option(value=name, label=column.title.rstrip("+")) for name, column in COLUMNS.items()
    ]
    now = list(COLUMNS).index(desk.browser.choice.sort)
    name = await desk.ask(Panel("Sort by", options, verb="Sort", cursor=now))
    if isinstance(name, str):
        sort_shown(desk, name)


def sort_shown(desk: Desk, name: str) -> None:
    """Sorts by a column, and shows it where its figures are asked for only while it is seen."""
    if name in {"read", "write", "io"}:
        desk.show(TRAFFIC)
    elif desk.view not in OF_PROCESSES:
        desk.show(PROCESSES)
    if name in OF_GPUS:
        desk.browser.columns = with_gpus(desk.browser.columns)
    choice = replace(desk.browser.choice, sort=name, turned=False, tree=False)
    desk.browser.choose(choice, desk.now_s())


def sort_by(desk: Desk, name: str) -> None:
    """Sorts by a column; the other way round where it is sorted by it already."""
    desk.browser.choose(desk.browser.choice.sorted_by(name), desk.now_s())


def switch(desk: Desk, told: str, changed: Choice, *, is_on: bool) -> None:
    """Shows it otherwise, and says which of the choices was turned on or off."""
    desk.browser.choose(changed, desk.now_s())
    desk.say(f"{told}: {'on' if is_on else 'off'}")


async def users(desk: Desk) -> None:
    """Whose processes are shown, from a list."""
    found = users_of(desk.browser.census.entries())
    options = [Option(value="", label="All users")]
    options += [Option(value=user, label=plain(user)) for user in found]
    chosen = await desk.ask(Panel("Show processes of", options, verb="Show"))
    if isinstance(chosen, str):
        wanted = frozenset({chosen} if chosen else ())
        desk.browser.choose(replace(desk.browser.choice, users=wanted), desk.now_s())


async def nodes(desk: Desk) -> None:
    """Of which node processes are shown, from a list."""
    options = [Option(value="", label="All nodes")]
    options += [
        Option(value=row.name, label=f"{plain(row.name)} {row.state.value}")
        for row in desk.feed.nodes
    ]
    chosen = await desk.ask(Panel("Show processes on", options, verb="Show"))
    if isinstance(chosen, str):
        wanted = frozenset({chosen} if chosen else ())
        desk.browser.choose(replace(desk.browser.choice, nodes=wanted), desk.now_s())


async def go_to_gpid(desk: Desk, digit: str) -> None:
    """Goes to a gpid or pid whose digits are typed, as in htop."""

    def look(text: str) -> None:
        if text and not desk.browser.find_gpid(text, desk.now_s()):
            desk.say(f"no process has a number that begins with {text}", Tone.WARN)

    prompt = Prompt("Gpid:", text=digit, check=look)
    try:
        look(digit)
    except SsiError as exc:
        desk.say(str(exc), Tone.WARN)
    await desk.ask(prompt)


async def fold(desk: Desk) -> None:
    """Hides or shows the children of the process under the cursor."""
    _fold(desk, everything=False)


async def fold_all(desk: Desk) -> None:
    """Hides or shows all children."""
    _fold(desk, everything=True)


def _fold(desk: Desk, *, everything: bool) -> None:
    if not desk.browser.choice.tree:
        desk.say("only a tree can be folded: F5", Tone.WARN)
        return
    desk.browser.toggle_closed(everything=everything)
    desk.browser.rearrange(desk.now_s())
