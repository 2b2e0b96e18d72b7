"""Priorities of processes, where they may run, and what they have in hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ssi.model.errors import SsiError, UsageError
from ssi.protocol.message import Done
from ssi.protocol.table import Aspect, InspectProcess, ProcessInspected, TuneProcess
from tui.actions.signalling import (
    TIMEOUT_S,
    about,
    ask,
    confirmed,
    described,
    each,
)
from tui.desk import Desk
from tui.model.entry import Target
from tui.model.outcome import Fate, Outcome, failed
from tui.modes.pager import Pager
from tui.modes.panel import Option, Panel
from tui.modes.prompt import Prompt

CALLS_TIMEOUT_S: Final = 20.0
"""They are watched for three seconds, and what is traced is slow."""

LOWEST_NICE: Final = -20
HIGHEST_NICE: Final = 19

_NAMED: Final = 5
"""More processors that do not exist are not named one by one."""

_IO_CLASSES: Final = (
    ("none: as its CPU priority says", 0, 0),
    *((f"best effort {level}", 2, level) for level in range(8)),
    ("idle", 3, 0),
    *((f"realtime {level} (root only)", 1, level) for level in range(8)),
)


async def nicer(desk: Desk) -> None:
    """The chosen processes give way to others."""
    await _renice(desk, 1)


async def less_nice(desk: Desk) -> None:
    """The chosen processes go before others, which only root may have."""
    await _renice(desk, -1)


async def io_priority(desk: Desk) -> None:
    """The I/O priority of the chosen processes, from a list."""
    targets = desk.targets()
    if not targets:
        return
    options = [
        Option(value=(io_class, level), label=label) for label, io_class, level in _IO_CLASSES
    ]
    chosen = await desk.ask(Panel("I/O priority", options, about=about(targets), verb="Set"))
    if isinstance(chosen, tuple) and await confirmed(desk, "set I/O priority of", targets):
        io_class, level = chosen
        await each(
            desk,
            "I/O priority",
            targets,
            lambda target: _tune(
                desk,
                "I/O priority of",
                target,
                TuneProcess(
                    gpid=target.gpid,
                    start_ms=target.start_ms,
                    io_class=io_class,
                    io_level=level,
                ),
            ),
        )


async def affinity(desk: Desk) -> None:
    """On which processors the process under the cursor may run: typed as ``0,2-5``."""
    target = desk.chosen()
    if target is None:
        return
    lines = await _inspected(desk, target, "cpus")
    if lines is None:
        return
    there, allowed = lines
    known = frozenset(parse_numbers(there))

    def check(text: str) -> None:
        if unknown := [str(number) for number in parse_numbers(text) if number not in known]:
            missing = f"there is no processor {', '.join(unknown[:_NAMED])}"
            raise UsageError(text=missing, hint=f"there are {there}")

    prompt = Prompt(f"Processors of {target.gpid} (there are {there}):", text=allowed, check=check)
    typed = await desk.ask(prompt)
    if isinstance(typed, str):
        request = TuneProcess(
            gpid=target.gpid, start_ms=target.start_ms, cpus=tuple(parse_numbers(typed))
        )
        await each(desk, "processors", [target], lambda t: _tune(desk, "processors of", t, request))


async def environment(desk: Desk) -> None:
    """The environment of the process under the cursor, where it is one's own."""
    await _show(desk, "environment")


async def open_files(desk: Desk) -> None:
    """What the process under the cursor has open, where it is one's own."""
    await _show(desk, "files")


async def system_calls(desk: Desk) -> None:
    """What the process under the cursor asks of the kernel, for a moment."""
    number = desk.begin("watching its system calls")
    try:
        await _show(desk, "calls")
    finally:
        desk.end(number)


def parse_numbers(text: str) -> list[int]:
    """``0,2-5`` as numbers.

    Raises:
        UsageError: It is nothing of the kind.
    """
    found: set[int] = set()
    for part in filter(None, text.replace(" ", "").split(",")):
        first, dash, last = part.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()) or len(part) > 9:
            raise UsageError(text=f"{part!r} is no processor", hint="write 0,2-5")
        found |= set(range(int(first), int(last or first) + 1))
    if not found:
        raise UsageError(text="it must be able to run somewhere", hint="write 0,2-5")
    return sorted(found)


async def _renice(desk: Desk, step: int) -> None:
    targets, census = desk.targets(), desk.browser.census
    known = {target.gpid: census.find(target.gpid) for target in targets}
    desk.browser.hold(desk.now_s())
    if not await confirmed(desk, "renice", targets):
        return

    async def one(target: Target) -> Outcome:
        entry = known[target.gpid]
        now = entry.row.nice if entry is not None else 0
        nice = max(LOWEST_NICE, min(now + step, HIGHEST_NICE))
        request = TuneProcess(gpid=target.gpid, start_ms=target.start_ms, nice=nice)
        outcome = await _tune(desk, f"nice {nice} for", target, request)
        if outcome.fate is Fate.DONE:
            census.hear_nice(target.gpid, nice)
        return outcome

    await each(desk, "renice", targets, one, untag=False)


async def _tune(desk: Desk, deed: str, target: Target, request: TuneProcess) -> Outcome:
    what = f"{deed} {described(target)}"
    try:
        await ask(desk.system, target, request, Done)
    except SsiError as exc:
        return failed(what, exc)
    return Outcome(what=what, fate=Fate.DONE)


async def _show(desk: Desk, aspect: Aspect) -> None:
    target = desk.chosen()
    if target is None:
        return
    lines = await _inspected(desk, target, aspect)
    if lines is not None:
        await desk.ask(Pager(f"{aspect} of {described(target)}", lines or ["nothing"]))


async def _inspected(desk: Desk, target: Target, aspect: Aspect) -> Sequence[str] | None:
    """What the node tells; None where it does not, which is shown."""
    request = InspectProcess(gpid=target.gpid, start_ms=target.start_ms, aspect=aspect)
    try:
        patience_s = CALLS_TIMEOUT_S if aspect == "calls" else TIMEOUT_S
        reply = await ask(desk.system, target, request, ProcessInspected, patience_s)
    except SsiError as exc:
        desk.tell(failed(f"{aspect} of {described(target)}", exc))
        return None
    return reply.lines
