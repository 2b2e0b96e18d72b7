"""Jobs that move: where they could go, what stands in the way, and how it went."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from ssi.client.moves import Mover
from ssi.client.system import Location
from ssi.model.errors import SsiError
from ssi.policy.placement import Placement, Suggestion
from ssi.protocol.migration import MigrationChecked
from ssi.protocol.refusals import NoSuchProcess, NotAJob
from ssi.view.quantity import size
from ssi.view.text import plain
from tui.actions.signalling import about, confirmed, described, whole_jobs
from tui.desk import Desk
from tui.model.entry import Target
from tui.model.outcome import Fate, Outcome, failed, summed_up
from tui.modes.panel import Option, Panel

PARALLEL: Final = 4
"""Moves at once, as of `ssi migrate`."""


async def migrate(desk: Desk) -> None:
    """Moves jobs to a node from a list with scores, and reasons where it cannot be."""
    targets = whole_jobs(desk.targets())
    if not targets:
        return
    found = await _find(desk, targets)
    if not found:
        return
    node = await _choose(desk, targets, found, verb="Move")
    if isinstance(node, str) and await confirmed(desk, "move", targets):
        await _move_all(desk, targets, found, node)


async def migrate_auto(desk: Desk) -> None:
    """Moves each job to where it suits best."""
    targets = whole_jobs(desk.targets())
    found = await _find(desk, targets)
    if found and await confirmed(desk, "move", targets):
        await _move_all(desk, targets, found, "")


async def explain(desk: Desk) -> None:
    """The same list, from which nothing is moved."""
    targets = whole_jobs(desk.targets()[:1])
    found = await _find(desk, targets)
    if found:
        await _choose(desk, targets, found, verb="Close")


async def _find(desk: Desk, targets: Sequence[Target]) -> list[Location]:
    """Where the jobs are now; none of them where one cannot be moved as it was shown."""
    number = desk.begin("looking for it …")
    try:
        return [await _located(desk.mover, target) for target in targets]
    except SsiError as exc:
        told = "; ".join(described(target) for target in targets[:1])
        desk.tell(failed(f"move {told}", exc))
        return []
    finally:
        desk.end(number)


async def _located(mover: Mover, target: Target) -> Location:
    """The job of a target, or a process that may become one.

    Raises:
        NoSuchProcess: It has ended, even where another has its gpid now.
        SsiError: A node that may have it does not answer.
    """
    process = await mover.find(target.gpid)
    if process.start_ms != target.start_ms:
        raise NoSuchProcess(gpid=target.gpid, detail="another process has its number now")
    try:
        return await mover.locate(target.gpid)
    except NotAJob:
        return process


async def _choose(
    desk: Desk, targets: Sequence[Target], found: Sequence[Location], *, verb: str
) -> object:
    """The node to go to. Verdicts come into the list while it is shown."""
    try:
        placement = await desk.mover.candidates(found[0])
    except SsiError as exc:
        desk.tell(failed(f"look where {described(targets[0])} could go", exc))
        return None
    panel = Panel("Move to", _first_options(placement), about=about(targets), verb=verb)
    checks = asyncio.gather(*(_judge(desk, panel, found, each) for each in placement.suggestions))
    try:
        return await desk.ask(panel)
    finally:
        checks.cancel()
        await asyncio.gather(checks, return_exceptions=True)


def _first_options(placement: Placement) -> list[Option]:
    waiting = [
        Option(
            value=each.node,
            label=_label(each, "looking …"),
            notes=each.reasons,
            refused=True,
        )
        for each in placement.suggestions
    ]
    out = [
        Option(
            value=each.node, label=f"{each.node:<8}    -  no", notes=(each.reason,), refused=True
        )
        for each in placement.rejections
    ]
    return [*waiting, *out]


async def _judge(
    desk: Desk, panel: Panel, found: Sequence[Location], suggestion: Suggestion
) -> None:
    """Puts what both ends say into the list."""
    blockers = [
        blocker
        for told in await asyncio.gather(
            *(_blockers(desk.mover, job, suggestion.node) for job in found)
        )
        for blocker in told
    ]
    index = next(i for i, each in enumerate(panel.options) if each.value == suggestion.node)
    verdict = "cannot" if blockers else "can move"
    panel.options[index] = Option(
        value=suggestion.node,
        label=_label(suggestion, verdict),
        notes=tuple(blockers) or suggestion.reasons,
        refused=bool(blockers),
    )
    desk.redraw()


async def _blockers(mover: Mover, job: Location, node: str) -> list[str]:
    """What stands in the way of one job; nothing is touched."""
    try:
        if job.job:
            checked: MigrationChecked = await mover.follow(job, lambda at: mover.check(at, node))
        else:
            checked = await mover.check_adoption(job, node)
    except SsiError as exc:
        return [exc.what()]
    return [
        *(f"{checked.source}: {plain(reason)}" for reason in checked.here),
        *(f"{checked.destination}: {plain(reason)}" for reason in checked.there),
    ]


def _label(suggestion: Suggestion, verdict: str) -> str:
    return f"{plain(suggestion.node):<8} {suggestion.score:4.2f}  {verdict}"


async def _move_all(
    desk: Desk, targets: Sequence[Target], found: Sequence[Location], node: str
) -> None:
    slots = asyncio.Semaphore(PARALLEL)

    async def one(target: Target, job: Location) -> Outcome:
        async with slots:
            number = desk.begin(f"{target.gpid} {job.node} → {node or 'the best'}")
            try:
                return await _move(desk.mover, target, job, node)
            finally:
                desk.end(number)

    outcomes = await asyncio.gather(
        *(one(target, job) for target, job in zip(targets, found, strict=True))
    )
    for outcome in outcomes if len(outcomes) > 1 else ():
        desk.keep(outcome)
    desk.tell(summed_up("move", outcomes))


async def _move(mover: Mover, target: Target, job: Location, node: str) -> Outcome:
    what = f"move {target.gpid} ({target.name})"
    try:
        if not job.job:
            moved = await mover.adopt(job, node)
        elif node:
            moved = await mover.follow(job, lambda at: mover.move(at, node))
        else:
            moved = await mover.follow(job, mover.move_anywhere)
    except SsiError as exc:
        return failed(what, exc)
    report = moved.report
    way = f"{moved.source} → {moved.destination}"
    became = f"job {report.row.gpid}, " if report.row.gpid != target.gpid else ""
    took = f"frozen for {report.freeze_ms:.0f} ms, {report.total_ms:.0f} ms in all"
    detail = f"{became}{way}, {took}, image {size(report.image_bytes)}"
    return Outcome(what=what, fate=Fate.DONE, detail=detail)
