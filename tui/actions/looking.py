"""What is only looked at: help, details, events, and the list of all actions."""

from __future__ import annotations

from datetime import datetime

from ssi.view.quantity import elapsed, size
from ssi.view.text import plain
from tui.bindings import BINDINGS, help_lines, shown_key
from tui.desk import Desk
from tui.model.columns import time_text
from tui.model.entry import Entry
from tui.modes.pager import Pager
from tui.modes.panel import Option, Panel


async def show_help(desk: Desk) -> None:
    """The keys."""
    await desk.ask(Pager("ssi top: keys", help_lines()))


async def palette(desk: Desk) -> None:
    """Any action by its name."""
    options = [
        Option(
            value=binding.action,
            label=f"{binding.action:<16} {shown_key(binding.keys[0]):>9}  {binding.does}",
        )
        for binding in BINDINGS
        if binding.action != "palette"
    ]
    chosen = await desk.ask(Panel("Do", options, verb="Do it", narrows=True))
    if isinstance(chosen, str):
        await desk.act(chosen)


async def details(desk: Desk) -> None:
    """All that is known of the process under the cursor."""
    target = desk.chosen()
    entry = desk.browser.census.find(target.gpid) if target is not None else None
    if entry is not None:
        stale_s = desk.browser.census.age_s(entry.node, desk.now_s())
        title = f"{entry.row.gpid} {plain(entry.row.name)} on {plain(entry.node)}"
        await desk.ask(Pager(title, detail_lines(entry, stale_s)))


def detail_lines(entry: Entry, age_s: float) -> list[str]:
    """A process in words."""
    row = entry.row
    started = datetime.fromtimestamp(row.started_at_s).astimezone()
    now_s = datetime.now().astimezone().timestamp()
    table = [
        ("gpid", str(row.gpid)),
        ("pid there", str(row.pid)),
        ("node", f"{entry.node}, told {age_s:.1f} s ago"),
        ("job", str(row.job) if row.job else "none: ssi did not start it"),
        ("parent", str(row.parent_gpid or "-")),
        ("session", str(row.session_gpid or "-")),
        ("group", str(row.group_gpid or "-")),
        ("user", row.user),
        ("state", row.state),
        ("nice", str(row.nice)),
        ("threads", str(row.threads)),
        ("terminal", row.tty),
        ("started", f"{started:%Y-%m-%d %H:%M:%S}, {elapsed(now_s - row.started_at_s)} ago"),
        ("CPU", f"{entry.cpu_percent:.1f}% now, {time_text(row.cpu_s)} in all"),
        ("memory", f"{size(row.rss_bytes)} resident, {size(row.vsize_bytes)} virtual"),
        ("name", row.name),
    ]
    lines = [f"{name:>10}  {text}" for name, text in table]
    return [*lines, "", "command:", *(f"  {plain(word)}" for word in row.command)]


async def copy(desk: Desk) -> None:
    """The gpid under the cursor, into the clipboard of the terminal."""
    target = desk.chosen()
    if target is not None:
        desk.copy(str(target.gpid))
        desk.say(f"{target.gpid} is in the clipboard, where the terminal allows it (OSC 52)")
