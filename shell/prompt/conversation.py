"""The talk at the prompt: a line is read, run, and kept, until the person leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from shell.prompt import appearance, marks
from shell.prompt.appearance import Facts
from shell.prompt.completion import Completions
from shell.prompt.editor import Editor, is_ascii
from shell.prompt.inquiry import Inquiry
from shell.prompt.keeping import Keeping
from shell.prompt.knowledge import Knowledge
from shell.prompt.seat import Seat
from shell.prompt.settings import Settings
from shell.prompt.sources import Ask, Sources
from shell.prompt.surroundings import Surroundings
from shell.prompt.verbs import verbs
from shell.session.values import ShellLeft
from ssi.client.candidates import PATIENCE_S
from ssi.client.hearing import hearing, nothing
from ssi.model.errors import SsiError
from ssi.model.node import NodeState
from ssi.view.complaints import error_line
from ssi.view.text import plain

if TYPE_CHECKING:
    from prompt_toolkit.input import Input
    from prompt_toolkit.output import Output

FIRST_LOOK_S: Final = 0.03
"""How long the prompt waits for the name of a branch where none was seen before."""

INTERRUPTED: Final = 130
"""``$?`` after ^C, as in bash."""


@dataclass(frozen=True, kw_only=True)
class Terminal:
    """What the person sees.

    Attributes:
        out: Where all is written that the editor does not draw.
        term: ``$TERM``.
        given: Input and output of the editor, other than those of this process.
    """

    out: TextIO
    term: str
    given: tuple[Input, Output] | None = None


def own_terminal() -> Terminal:
    """That of this process."""
    # What the terminal answers to a question about its cursor could reach a program that is
    # started meanwhile; nothing here needs the answer.
    os.environ.setdefault("PROMPT_TOOLKIT_NO_CPR", "1")
    return Terminal(out=sys.stdout, term=os.environ.get("TERM", ""))


class Conversation:
    """One person at one prompt.

    Args:
        seat: The session.
        ask: Asks the system what a word may become.
        builtins: Verbs that are commands by themselves, and what they do.
        history: The file of the history.
        patience_s: How long completion may take.
    """

    def __init__(
        self,
        seat: Seat,
        ask: Ask,
        builtins: Mapping[str, str],
        *,
        settings: Settings,
        history: Path,
        terminal: Terminal,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._seat = seat
        self._terminal = terminal
        self._has_marks = marks.knows_marks(terminal.term)
        self._status = 0
        self._duration_s = 0.0
        self._was_warned = False
        self._looking: asyncio.Task[None] | None = None
        self._keeping = Keeping(history, self._complain)
        self._knowledge = Knowledge(builtins.__contains__)
        self._surroundings = Surroundings(seat, self._redraw)
        self._inquiry = Inquiry(seat, self._knowledge, self._redraw)
        self._editor = Editor(
            seat,
            settings,
            self._surroundings,
            self._keeping.recall,
            Completions(Sources(seat, ask, builtins, patience_s), verbs(), builtins.__contains__),
            has_marks=self._has_marks,
            given=terminal.given,
        )

    async def hold(self) -> int:
        """Talks until the person leaves; the status of the shell."""
        try:
            with hearing((signal.SIGINT, signal.SIGQUIT), nothing):
                await self._turns()
        finally:
            self._keeping.close()
        return self._status

    async def _turns(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(self._inquiry.serve())
            coloured = tasks.create_task(self._colour())
            try:
                while not await self._turn():
                    pass
            finally:
                asked.cancel()
                coloured.cancel()
                if self._looking is not None:
                    self._looking.cancel()

    async def _turn(self) -> bool:
        """One line, from its prompt to its end; whether the person leaves."""
        for notice in await self._seat.notices():
            self._print(plain(notice))
        self._keeping.refresh()
        await self._look()
        self._mark(marks.title(appearance.title_at_prompt(self._facts())), marks.PROMPT_BEGINS)
        try:
            line = await self._editor.read(self._facts, self._seat.typed_ahead())
        except KeyboardInterrupt:
            self._seat.interrupted()
            self._status, self._duration_s = INTERRUPTED, 0.0
            return False
        except EOFError:
            return self._leaves()
        self._was_warned = False
        self._duration_s = 0.0
        return bool(line.strip()) and await self._run(line)

    async def _run(self, line: str) -> bool:
        where = self._seat.where
        number = self._keeping.begin(line, where)
        self._mark(marks.title(appearance.title_at_work(where.node, line)), marks.OUTPUT_BEGINS)
        try:
            self._seat.type_ahead(self._editor.typed_behind())
            finished = await self._seat.run(line)
        except ShellLeft as left:
            self._status = left.status
            return True
        except SsiError as error:
            self._status = error.exit_code
            self._complain(error)
        else:
            self._status, self._duration_s = finished.status, finished.duration_s
            self._keeping.finish(number, finished)
        self._knowledge.grow_old()
        self._terminal.out.write(self._fresh_line())
        self._mark(marks.output_ends(self._status))
        return False

    def _leaves(self) -> bool:
        """Whether ^D leaves: where jobs are stopped it is asked for twice, as in bash."""
        stopped = [job for job in self._seat.jobs() if job.state == "Stopped"]
        if not stopped or self._was_warned:
            return True
        self._was_warned = True
        named = ", ".join(f"%{job.number} {job.command[:40]}" for job in stopped[:3])
        more = ", ..." if len(stopped) > 3 else ""
        self._print(plain(f"jobs are stopped: {named}{more}; ^D again leaves, and they stay"))
        return False

    async def _look(self) -> None:
        """Has someone look around; a prompt in a new place waits a moment for what is seen."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._surroundings.look())
        if self._surroundings.branch is None:
            await asyncio.wait({self._looking}, timeout=FIRST_LOOK_S)

    async def _colour(self) -> None:
        """Brings colours after the first prompt: what they need takes a while to load."""
        with suppress(ImportError):  # it is machine code, which not every node has
            module = await asyncio.to_thread(import_module, "shell.prompt.highlighting")
            self._editor.colour_by(module.Highlighter(self._seat, self._knowledge, self._inquiry))
            self._redraw()

    def _facts(self) -> Facts:
        where = self._seat.where
        return Facts(
            node=where.node,
            cwd=where.cwd,
            home=where.home,
            problem="" if where.state is NodeState.ALIVE else where.state.value,
            branch=self._surroundings.branch or "",
            jobs=len(self._seat.jobs()),
            status=self._status,
            duration_s=self._duration_s,
            is_root=where.user == "root",
            is_ascii=is_ascii(),
        )

    def _redraw(self) -> None:
        self._editor.redraw()

    def _fresh_line(self) -> str:
        columns = self._editor.output.get_size().columns
        is_plain = self._terminal.term in {"", "dumb"}
        return "" if is_plain else marks.fresh_line(columns, is_ascii=is_ascii())

    def _mark(self, *texts: str) -> None:
        if self._has_marks:
            self._terminal.out.write("".join(texts))
        self._terminal.out.flush()

    def _complain(self, error: SsiError) -> None:
        self._print(f"ssi: {error_line(error)}")

    def _print(self, text: str) -> None:
        self._terminal.out.write(f"{text}\n")
        self._terminal.out.flush()
