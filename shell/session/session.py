"""One session of the shell: the seam between the line editor and what runs the lines.

All coroutines belong to one asyncio loop, which is the line editor's, too. Change what is public
here only together with :mod:`shell.prompt`.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from shell.errors import NoSuchJob
from shell.language.plan import Names, Step
from shell.session.beginning import first_beginning, place_of
from shell.session.builtins import OwnCommands
from shell.session.jobtable import JobTable
from shell.session.neighbours import Neighbours
from shell.session.outcome import FAILED, INTERRUPTED, OF_A_START, Outcome
from shell.session.pressed import INTERRUPT
from shell.session.reading import is_incomplete, read_plan
from shell.session.resident import Beginning, Resident
from shell.session.running import Runner
from shell.session.values import Finished, JobLine, ShellLeft, Where
from ssi.client.attachment import put
from ssi.client.hearing import hearing, nothing
from ssi.client.system import System
from ssi.model.errors import SsiError
from ssi.model.node import NodeState
from ssi.view.complaints import error_line

__all__ = ["Finished", "JobLine", "Session", "ShellLeft", "Where"]

SETTLE_S: Final = 2.0
_INTERRUPTED: Final = Outcome(status=INTERRUPTED, statuses=(INTERRUPTED,), ends_line=True)

_ENDS_COMMANDS: Final = re.compile(r"(?:ERR|DEBUG)$", re.MULTILINE)
"""Traps that bash runs between commands."""


class Session:
    """Runs lines where it is.

    Attributes:
        where: Where the next line runs.
        last: How the last line ended; None before the first.
        show: Takes what jobs in the background write; the line editor may put another in its place.
        typeahead: Keys that no program has read: for the next one, or else for the prompt.
    """

    def __init__(self, system: System, resident: Resident, neighbours: Neighbours) -> None:
        self.last: Finished | None = None
        self.show: Callable[[bytes], Awaitable[None]] = _show
        self.typeahead = b""
        self._system = system
        self._resident = resident
        self._neighbours = neighbours
        self._table = JobTable()
        self._runner = Runner(self)
        self._own = OwnCommands(self, self._runner)
        self._told: list[str] = []
        self._known_loss: SsiError | None = None
        self.where = self._where()

    @classmethod
    async def open(cls, system: System, node: str = "") -> Session:
        """A session on a node; empty for this machine, or where placement suggests.

        Raises:
            SsiError: There is no such node, or none fits.
        """
        neighbours = await Neighbours.of(system)
        place = await place_of(system, node)
        resident = await Resident.start(system, place, first_beginning(neighbours, place), _show)
        session = cls(system, resident, neighbours)
        neighbours.when_dead = session.lose
        return session

    @property
    def system(self) -> System:
        """Whom to ask."""
        return self._system

    @property
    def resident(self) -> Resident:
        """The bash of this session."""
        return self._resident

    @property
    def table(self) -> JobTable:
        """The jobs of this shell."""
        return self._table

    @property
    def neighbours(self) -> Neighbours:
        """The nodes, as lately seen."""
        return self._neighbours

    @property
    def names(self) -> Names:
        """What decides what the words of a line mean."""
        holding = self._resident.holding
        return Names(
            functions=holding.functions,
            aliases=holding.aliases,
            nodes=self._neighbours.names,
            is_strict="e" in holding.flags or bool(_ENDS_COMMANDS.search(holding.traps)),
        )

    async def run(self, line: str) -> Finished:
        """Runs a line; owns the terminal (descriptors 0, 1, 2) until it is done or stopped.

        Raises:
            ShellLeft: For ``exit`` and ``logout``.
            SsiError: What the person should read as one line; ``last`` says what ``$?`` then is.
        """
        with hearing((signal.SIGINT, signal.SIGQUIT), nothing):  # between two programs
            return await self._run(line)

    async def _run(self, line: str) -> Finished:
        began_s = time.monotonic()
        node, cwd = self.where.node, self.where.cwd
        outcome = Outcome(status=self.status, statuses=self.statuses)
        try:
            await self._ensure()
            if line.strip():
                steps = await read_plan(line, self.names)
                outcome = await self._run_steps(steps, outcome)
        except SsiError as exc:
            outcome = _failed(exc)
            self._known_loss = exc
            raise
        finally:
            self.where = self._where()
            self.last = Finished(
                line=line,
                status=outcome.status,
                statuses=outcome.statuses or (outcome.status,),
                duration_s=time.monotonic() - began_s,
                gpids=outcome.gpids,
                node=node,
                cwd=cwd,
            )
        return self.last

    @property
    def status(self) -> int:
        """``$?``."""
        return self.last.status if self.last else 0

    @property
    def statuses(self) -> tuple[int, ...]:
        """``PIPESTATUS``."""
        return self.last.statuses if self.last else (0,)

    def interrupted(self) -> None:
        """^C was pressed at the prompt, which ``$?`` tells from then on."""
        where = self.where
        self.last = Finished(
            line="",
            status=INTERRUPTED,
            statuses=(INTERRUPTED,),
            duration_s=0.0,
            node=where.node,
            cwd=where.cwd,
        )

    async def incomplete(self, text: str) -> bool:
        """Whether ``bash -n`` says that more is to come."""
        return await is_incomplete(text)

    def jobs(self) -> Sequence[JobLine]:
        """The jobs of this shell, by number."""
        return self._table.lines()

    async def query(self, script: str, *, node: str = "", limit_s: float) -> bytes | None:
        """What a little bash script prints, in a bash beside the session's.

        That has the same directory and state, and an empty stdin. It never disturbs :meth:`run`.

        Args:
            script: What to run, for completions and the like.
            node: Where; empty for the session's.
            limit_s: After which it is given up.

        Returns:
            None where it did not answer in time.
        """
        if not node or node == self.where.node:
            return await self._resident.query(script, limit_s)
        return await self._runner.query_on(node, script, limit_s)

    def type_ahead(self, keys: bytes) -> None:
        """Takes keys that were typed behind a line: for what reads keys next."""
        self.typeahead += keys

    def typed_ahead(self) -> bytes:
        """Keys that no program has read; they are the next line's, and given once."""
        keys = self.typeahead + self._resident.late_keys()
        self.typeahead = b""
        return keys

    async def notices(self) -> list[str]:
        """What is to be told before the next prompt: jobs that ended or stopped, lost nodes."""
        with suppress(SsiError):
            await self._ensure()
        told, self._told = self._told, []
        return [*told, *self._runner.ended_jobs()]

    async def close(self) -> None:
        """Ends the session's bash; its jobs go on."""
        with suppress(TimeoutError):  # what was being started at ^C is ended, or its lease ends it
            async with asyncio.timeout(SETTLE_S):
                await self._system.settle()
        await self._runner.close()
        await self._neighbours.close()
        await self._resident.close()

    async def move(self, node: str) -> None:
        """Takes the session to another node, with all that its bash holds.

        Raises:
            SsiError: No bash could be started there; the session is where it was.
        """
        if node == self.where.node:
            return
        old = self._resident
        self._resident = await self._successor(node)
        self.where = self._where()
        await old.close()

    def lose(self, node: str, error: SsiError) -> None:
        """A node is believed dead."""
        if node == self._resident.node:
            self._resident.lose(error)

    async def _run_steps(self, steps: list[Step], outcome: Outcome) -> Outcome:
        gpids: tuple[int, ...] = ()
        for number, step in enumerate(steps, 1):
            if number > 1 and self._was_interrupted():
                outcome = _INTERRUPTED
                break
            if step.joint and (step.joint == "&&") == bool(outcome.status):
                continue
            try:
                outcome = await self._run_step(step, outcome)
            except SsiError as exc:
                if number == len(steps) or self._resident.lost is not None:
                    raise
                # A command that fails ends no line: what follows may be what is to be done then.
                os.write(2, f"ssi: {error_line(exc)}\n".encode("utf-8", "replace"))
                outcome = _failed(exc)
            self.where = self._where()  # `cd` is for all that follows, also on the same line
            gpids += outcome.gpids
            if outcome.ends_line:
                break
        return outcome.with_gpids(gpids)

    def _was_interrupted(self) -> bool:
        """Whether ^C came as one command had ended; what was typed before it is thrown away."""
        _before, interrupt, self.typeahead = self.typed_ahead().rpartition(INTERRUPT)
        return bool(interrupt)

    async def _run_step(self, step: Step, before: Outcome) -> Outcome:
        """Does a step; ^C ends it where nothing that runs has taken the terminal yet."""
        runs = self._own.run if step.kind in {"own", "move"} else self._runner.run
        running = asyncio.ensure_future(runs(step, before))
        interrupts: list[int] = []

        def interrupt(number: int) -> None:
            interrupts.append(number)
            running.cancel()

        with hearing((signal.SIGINT,), interrupt):
            try:
                outcome = await running
            except asyncio.CancelledError:
                if not interrupts:
                    raise
            else:
                if not interrupts:
                    return outcome
        if os.isatty(1):
            os.write(2, b"\n")
        return _INTERRUPTED

    async def _ensure(self) -> None:
        """There is a bash: a new one with what was known of the old, where that was lost."""
        lost = self._resident.lost
        if lost is None:
            return
        node = self._resident.node
        if self._neighbours.is_dead(node):
            node = (await self._system.place()).node
        old, self._resident = self._resident, await self._successor(node)
        await old.drop()
        self.where = self._where()
        if self._known_loss is None or not _are_alike(lost, self._known_loss):
            self._told.append(str(lost).partition(";")[0])
        if node != old.node:
            self._told.append(f"the session goes on on {node}, as it was after the last line")

    async def _successor(self, node: str) -> Resident:
        old = self._resident
        home = first_beginning(self._neighbours, node)
        how = Beginning(cwd=old.cwd, environment=home.environment, state=old.holding.state)
        return await Resident.start(self._system, node, how, _show)

    def _where(self) -> Where:
        resident = self._resident
        return Where(
            node=resident.node,
            cwd=resident.cwd,
            user=resident.variable("USER"),
            home=resident.variable("HOME") or "/",
            state=self._neighbours.state_of(resident.node) or NodeState.ALIVE,
        )


def _failed(error: SsiError) -> Outcome:
    """How a command that ssi could not do ended; what bash has statuses for, has those of bash."""
    is_of_bash = error.exit_code in OF_A_START or isinstance(error, NoSuchJob)
    status = error.exit_code if is_of_bash else FAILED
    return Outcome(status=status, statuses=(status,))


async def _show(data: bytes) -> None:
    with suppress(OSError):  # the window is gone; the line editor hears of it by itself
        await put(1, data)


def _are_alike(one: SsiError, other: SsiError) -> bool:
    """Whether two errors tell of the same, seen at two times."""
    return one.word == other.word and one.wire_fields().get("node") == other.wire_fields().get(
        "node"
    )
