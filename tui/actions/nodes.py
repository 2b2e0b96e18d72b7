"""What is done to whole nodes: cordon, drain, a shell there."""

from __future__ import annotations

from typing import Final

from ssi.client.draining import Draining
from ssi.client.moves import Moved
from ssi.client.ownwords import own_words
from ssi.client.system import why_dead
from ssi.model.errors import SsiError
from ssi.model.node import NodeState
from ssi.protocol.message import Done
from ssi.protocol.system import CordonNode
from ssi.view.quantity import counted
from ssi.view.text import plain
from tui.actions.moving import PARALLEL
from tui.actions.signalling import TIMEOUT_S
from tui.desk import Desk
from tui.model.outcome import Fate, Outcome, failed
from tui.modes.prompt import Prompt

_LOGIN: Final = ("sh", "-c", 'exec "${SHELL:-sh}" -l')


async def cordon(desk: Desk) -> None:
    """Placement passes the node over."""
    await _set_cordon(desk, cordoned=True)


async def uncordon(desk: Desk) -> None:
    """Placement takes the node again."""
    await _set_cordon(desk, cordoned=False)


async def drain(desk: Desk) -> None:
    """Empties a node of its jobs, once its name has been typed."""
    node = desk.node()
    if not node:
        return
    prompt = Prompt(f"Drain {plain(node)}: all its jobs move. Type its name and Enter:")
    if await desk.ask(prompt) != node:
        desk.say("nothing was done")
        return
    what = f"drain {plain(node)}"
    number = desk.begin(what)
    try:
        drained = await Draining(desk.system, node, PARALLEL, Board(desk)).run()
    except SsiError as exc:
        desk.tell(failed(what, exc))
        return
    finally:
        desk.end(number)
    moved = f"{counted(len(drained.moved), 'job')} moved"
    if drained.lost:
        moved += f", {len(drained.lost)} lost"
    if drained.left:
        first = drained.left[0]
        detail = f"{moved}, {len(drained.left)} stay: {first.gpid}: {first.reason}"
        desk.tell(Outcome(what=what, fate=Fate.NOT_DONE, detail=detail))
    else:
        fate = Fate.NOT_DONE if drained.lost else Fate.DONE
        desk.tell(Outcome(what=what, fate=fate, detail=f"{moved}; it is cordoned"))


async def shell(desk: Desk) -> None:
    """A shell on a node, in the whole terminal."""
    node = desk.node()
    row = next((row for row in desk.feed.nodes if row.name == node), None)
    if row is not None and row.state in {NodeState.DEAD, NodeState.LEFT}:
        why = why_dead(row).what()
        desk.tell(Outcome(what=f"shell on {plain(node)}", fate=Fate.NOT_DONE, detail=why))
    elif node:
        status = await desk.lend_terminal([*own_words(), "run", "-t", "-n", node, "--", *_LOGIN])
        desk.say(f"back from {plain(node)}" + (f", status {status}" if status else ""))


async def _set_cordon(desk: Desk, *, cordoned: bool) -> None:
    node = desk.node()
    what = f"{'cordon' if cordoned else 'uncordon'} {plain(node)}"
    try:
        await desk.system.ask(CordonNode(cordoned=cordoned), Done, node=node, timeout_s=TIMEOUT_S)
    except SsiError as exc:
        desk.tell(failed(what, exc))
    else:
        desk.tell(Outcome(what=what, fate=Fate.DONE))


class Board:
    """Tells how a drain goes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def began(self, gpid: int, to_go: int) -> None:
        """A job begins to move."""
        self._desk.say(f"{gpid} moves, {to_go} to go")

    def moved(self, moved: Moved) -> None:
        """It has arrived."""
        gpid, frozen_ms = moved.report.row.gpid, moved.report.freeze_ms
        way = f"{moved.source} → {moved.destination}"
        what = f"move {gpid}"
        self._desk.tell(
            Outcome(what=what, fate=Fate.DONE, detail=f"{way}, frozen for {frozen_ms:.0f} ms")
        )

    def went(self, gpid: int) -> None:
        """It has ended meanwhile, or somebody else moved it."""
        self._desk.say(f"{gpid} has left")

    def stays(self, gpid: int, error: SsiError) -> None:
        """It could not be moved."""
        self._desk.tell(failed(f"move {gpid}", error))

    def lost(self, gpid: int, error: SsiError) -> None:
        """It is nowhere any more."""
        self._desk.tell(failed(f"move {gpid}", error))
