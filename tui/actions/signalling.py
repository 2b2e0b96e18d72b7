"""Signals, and jobs that are frozen. They go to what the dialog showed, wherever that is now."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from ssi.client.system import ReplyT, System, followed
from ssi.model.errors import SsiError
from ssi.model.gpid import parts_of
from ssi.protocol.jobs import FreezeJob, JobReply, SignalProcess, WaitJob
from ssi.protocol.message import Done, RequestMessage
from ssi.protocol.refusals import NoSuchProcess, NotAJob
from ssi.view.text import plain
from tui.desk import Desk
from tui.model.entry import Target
from tui.model.outcome import Fate, Outcome, failed, summed_up
from tui.modes.panel import Option, Panel
from tui.modes.prompt import Prompt

TIMEOUT_S: Final = 5.0
MANY: Final = 10
"""More targets than this are confirmed by typing their number."""

_LISTED: Final = 5


async def kill(desk: Desk) -> None:
    """A signal from a list, to the processes that were chosen when the list opened."""
    targets = desk.targets()
    if not targets:
        return
    names = [f"{number.value:2d} {number.name}" for number in _signals()]
    options = [Option(value=None, label=" 0 Cancel")]
    options += [
        Option(value=number, label=name) for number, name in zip(_signals(), names, strict=True)
    ]
    panel = Panel(
        "Send signal", options, about=about(targets), verb="Send", cursor=signal.SIGTERM.value
    )
    number = await desk.ask(panel)
    if not isinstance(number, signal.Signals):
        return
    name = number.name.removeprefix("SIG")
    if not await confirmed(desk, f"{name} to", targets):
        return
    await each(desk, name, targets, lambda target: send(desk.system, target, number))


async def freeze(desk: Desk) -> None:
    """Jobs are frozen; those that are frozen are let go."""
    targets = whole_jobs(desk.targets())
    if targets and await confirmed(desk, "freeze or thaw", targets):
        await each(desk, "freeze", targets, lambda target: turn_freezer(desk.system, target))


async def send(system: System, target: Target, number: signal.Signals) -> Outcome:
    """Sends a signal to exactly that process; for a job's first process, to all of the job."""
    what = f"{number.name.removeprefix('SIG')} to {described(target)}"
    request = SignalProcess(gpid=target.gpid, start_ms=target.start_ms, signal=number.value)
    try:
        await ask(system, target, request, Done)
    except SsiError as exc:
        return failed(what, exc)
    return Outcome(what=what, fate=Fate.DONE)


async def turn_freezer(system: System, target: Target) -> Outcome:
    """Freezes a job, or thaws it."""
    what = f"freeze {described(target)}"
    try:
        if not target.job:
            raise NotAJob(gpid=target.gpid, node=target.node)
        now = await ask(system, target, WaitJob(gpid=target.job, wait_ms=0), JobReply)
        if now.row.frozen:
            what = f"thaw {described(target)}"
        request = FreezeJob(gpid=target.job, start_ms=now.row.start_ms, frozen=not now.row.frozen)
        await ask(system, target, request, JobReply)
    except SsiError as exc:
        return failed(what, exc)
    return Outcome(what=what, fate=Fate.DONE)


async def ask(
    system: System,
    target: Target,
    request: RequestMessage,
    kind: type[ReplyT],
    timeout_s: float = TIMEOUT_S,
) -> ReplyT:
    """The reply of the node where a process is, also where it moves as that is asked.

    Raises:
        SsiError: As :func:`node_of`, or what the node says.
    """

    async def asked(node: str) -> ReplyT:
        return await system.ask(request, kind, node=node, timeout_s=timeout_s)

    return await followed(await node_of(system, target), lambda: node_of(system, target), asked)


async def node_of(system: System, target: Target) -> str:
    """Where a process is now: one of a job may have moved since it was shown.

    Raises:
        NoSuchProcess: It has ended, even where another has its gpid now.
        SsiError: A node that may have it does not answer.
    """
    if not parts_of(target.gpid).is_job:
        return target.node
    location = await system.locate(target.gpid, TIMEOUT_S)
    if location.start_ms != target.start_ms:
        raise NoSuchProcess(gpid=target.gpid, detail="another process has its number now")
    return location.node


async def confirmed(desk: Desk, deed: str, targets: Sequence[object]) -> bool:
    """Whether the person means it; many targets have to be confirmed by typing how many."""
    if len(targets) <= MANY:
        return True
    wanted = str(len(targets))
    prompt = Prompt(f"{deed} {wanted} processes: type {wanted} and Enter to go on:")
    typed = await desk.ask(prompt)
    if typed != wanted:
        desk.say("nothing was done")
    return typed == wanted


async def each(
    desk: Desk,
    deed: str,
    targets: Sequence[Target],
    act: Callable[[Target], Awaitable[Outcome]],
    *,
    untag: bool = True,
) -> None:
    """Does something to each at once, and tells what became of it."""
    if not targets:
        return
    number = desk.begin(f"{deed} to {len(targets)} …")
    try:
        outcomes = await asyncio.gather(*(act(target) for target in targets))
    finally:
        desk.end(number)
    for outcome in outcomes if len(outcomes) > 1 else ():
        desk.keep(outcome)
    if untag:
        desk.browser.tags -= {(target.gpid, target.start_ms) for target in targets}
    desk.tell(summed_up(deed, outcomes))


def whole_jobs(targets: Sequence[Target]) -> tuple[Target, ...]:
    """One target for each job, whichever of its processes were chosen; others as they are."""
    found = {target.job or target.gpid: target for target in reversed(targets)}
    return tuple(reversed(found.values()))


def described(target: Target) -> str:
    """``20000042 (sleep) on n2``."""
    return plain(f"{target.gpid} ({target.name}) on {target.node}")


def about(targets: Sequence[Target]) -> list[str]:
    """Whom a dialog is about."""
    lines = [
        f"{target.gpid} {target.name} of {target.user} on {target.node}"
        + (", the whole job" if target.job == target.gpid else "")
        for target in targets[:_LISTED]
    ]
    if len(targets) > _LISTED:
        nodes = len({target.node for target in targets})
        lines.append(f"and {len(targets) - _LISTED} more, on {nodes} nodes")
    return lines


def _signals() -> list[signal.Signals]:
    return sorted(signal.Signals, key=int)
