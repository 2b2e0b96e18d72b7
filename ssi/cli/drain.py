"""``ssi drain``: a node is emptied of its jobs."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Annotated

import typer

from ssi.cli.exits import INTERRUPTED
from ssi.cli.migrate import PARALLEL
from ssi.cli.outcome import complain, note, run_async
from ssi.cli.output import Output, tells
from ssi.cli.settings import settings, wants_progress
from ssi.client.draining import Drained, Draining
from ssi.client.moves import Moved
from ssi.client.system import System
from ssi.model.drain import DrainIncomplete
from ssi.model.errors import SsiError
from ssi.view.jsonview import JsonObject
from ssi.view.listing import Report
from ssi.view.moves import moved_line, moved_object
from ssi.view.text import plain


@tells
def drain(
    output: Output,
    node: Annotated[str, typer.Argument(metavar="NODE", help="To be emptied.")],
    parallel: Annotated[
        int, typer.Option("--parallel", "-j", min=1, max=32, help="How many jobs at once.")
    ] = PARALLEL,
) -> None:
    """Cordon a node and move its jobs to others; ^C finishes what is under way, again goes on.

    The exit status is 29 where jobs are left, each of which is listed with the reason, and that of
    the error where none is left and one was lost on its way.
    """
    run_async(lambda system: _drain(system, node, parallel, output))


async def _drain(system: System, nodeset: str, parallel: int, output: Output) -> int:
    name = await system.select_one(nodeset)
    board = Board(name)
    draining = Draining(system, name, parallel, board)

    def interrupted() -> None:
        draining.stop()
        board.say("no further job moves; those under way are waited for")

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, interrupted)
    try:
        drained = await draining.run()
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        board.close()
    return _report(drained, output, interrupted=draining.stopping)


def _report(drained: Drained, output: Output, *, interrupted: bool) -> int:
    lines = [f"{left.gpid} stays on {drained.node}: {left.reason}" for left in drained.left]
    output.write(Report(lines=lines, results=[_object(drained)], named=[drained.node]))
    for error in drained.lost.values():
        complain(error)
    if not drained.left:
        lost = f", {len(drained.lost)} lost" if drained.lost else ""
        note(f"{drained.node} is empty and cordoned, {len(drained.moved)} jobs moved{lost}")
        return next((error.exit_code for error in drained.lost.values()), 0)
    gpids = [str(left.gpid) for left in drained.left]
    complain(DrainIncomplete(node=drained.node, left=gpids))
    return INTERRUPTED if interrupted else DrainIncomplete.exit_code


def _object(drained: Drained) -> JsonObject:
    return {
        "node": drained.node,
        "moved": [
            moved_object(each.source, each.destination, each.report) for each in drained.moved
        ],
        "left": [
            {"gpid": left.gpid, "error": left.word or None, "reason": left.reason}
            for left in drained.left
        ],
        "lost": [
            {"gpid": gpid, "error": error.word, "reason": error.what()}
            for gpid, error in drained.lost.items()
        ],
    }


class Board:
    """Progress on stderr: a line for each job, and on a terminal one below them that changes.

    Args:
        node: That is drained.
    """

    def __init__(self, node: str) -> None:
        self._node = node
        self._live = wants_progress()
        self._moved = self._stay = self._to_go = 0
        self._moving: set[int] = set()

    def began(self, gpid: int, to_go: int) -> None:
        """A job begins to move."""
        self._moving.add(gpid)
        self._to_go = to_go
        self._draw()

    def moved(self, moved: Moved) -> None:
        """It has arrived."""
        self._moving.discard(moved.report.row.gpid)
        self._moved += 1
        self.say(moved_line(moved.source, moved.destination, moved.report))

    def went(self, gpid: int) -> None:
        """It has ended meanwhile, or somebody else moved it."""
        self._moving.discard(gpid)
        self._draw()

    def stays(self, gpid: int, error: SsiError) -> None:
        """It could not be moved; the reason is told at the end."""
        self._moving.discard(gpid)
        self._stay += 1
        self.say(f"{gpid} stays on {self._node}: {error.word}")

    def lost(self, gpid: int, error: SsiError) -> None:
        """It is nowhere any more; the reason is told at the end."""
        self._moving.discard(gpid)
        self.say(f"{gpid} is lost: {error.word}")

    def say(self, text: str) -> None:
        """One line that stays."""
        if not settings().quiet:
            sys.stderr.write(f"{self._erased()}{plain(text)}\n")
        self._draw()

    def close(self) -> None:
        """Takes the changing line away."""
        sys.stderr.write(self._erased())
        sys.stderr.flush()

    def _draw(self) -> None:
        if self._live:
            counts = f"{self._moved} moved, {len(self._moving)} moving, {self._stay} stay"
            sys.stderr.write(f"{self._erased()}{self._node}: {counts}, {self._to_go} to go")
        sys.stderr.flush()

    def _erased(self) -> str:
        return "\r\x1b[K" if self._live else ""
