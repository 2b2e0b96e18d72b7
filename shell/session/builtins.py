"""What the shell does itself: ``jobs``, ``fg`` and the like, moves of the session, verbs of ssi."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Final, TypeVar

from shell.language.placement import Kind
from shell.language.plan import Step
from shell.session.commandline import run_verb
from shell.session.jobtable import Entry, jobs_text, with_gpids
from shell.session.outcome import INTERRUPTED, Outcome
from shell.session.placing import nodes_of
from shell.session.resident import NAME
from ssi.client.hearing import hearing
from ssi.client.listings import list_jobs
from ssi.model.errors import UsageError
from ssi.model.job import JobState
from ssi.model.nodeset import fold

if TYPE_CHECKING:
    from shell.session.running import Runner
    from shell.session.session import Session

ResultT = TypeVar("ResultT")
_STOPS = {f"-{name}" for name in ("STOP", "SIGSTOP", "TSTP", "SIGTSTP", "19", "20")}
SILENT_S: Final = 5.0
"""After which a node has no answer to ``jobs -a``."""

DONE = Outcome(status=0, statuses=(0,))


class OwnCommands:
    """See the module."""

    def __init__(self, session: Session, runner: Runner) -> None:
        self._session = session
        self._runner = runner

    async def run(self, step: Step, before: Outcome) -> Outcome:
        """Does what a step of ours says.

        Raises:
            SsiError: What the person should read.
        """
        if step.kind == "move":
            outcome = await self._move(step)
        else:
            name, *words = shlex.split(step.text)
            outcome = await self._call(name, words, step, before)
        return outcome.negated() if step.negated else outcome

    async def _call(self, name: str, words: list[str], step: Step, before: Outcome) -> Outcome:
        table = self._session.table
        match name:
            case "jobs":
                return await self._jobs(words)
            case "fg" | "bg" | "disown" | "wait" if not words and not list(table):
                return await self._runner.evaluate(step.text, before)  # bash may have some
            case "fg":
                return await self._fg(words)
            case "bg":
                for entry in self._named(words):
                    await self._runner.go_on(entry)
                    self._print(f"[{entry.number}]{table.mark(entry)} {entry.command} &\n")
            case "wait":
                return await self._wait(words, step, before)
            case "disown":
                await self._disown(words)
            case "kill":
                return await self._kill(words)
            case _:
                return await run_verb([name, *self._numbers(words)])
        return DONE

    def _numbers(self, words: list[str]) -> list[str]:
        """The words with gpids in the place of ``%1`` and ``$!``."""
        entries = list(self._session.table)
        last = [str(entries[-1].gpid)] if entries else ["$!"]
        return with_gpids(
            [last[0] if word == "$!" else word for word in words], self._session.table
        )

    async def _move(self, step: Step) -> Outcome:
        placement = step.parts[0].placement
        assert placement is not None
        where = self._session.where
        if placement.kind is Kind.HERE:
            self._print(f"{where.node}:{where.cwd}\n")
            return DONE
        nodes = await nodes_of(self._session.system, placement, where.node)
        if len(nodes) != 1:
            raise UsageError(
                text=f"a session is on one node, and @{placement.text} names {len(nodes)}",
                hint="a command behind it runs on each of them",
            )
        await self._session.move(nodes[0])
        return DONE

    async def _jobs(self, words: list[str]) -> Outcome:
        letters = {letter for word in words if word.startswith("-") for letter in word[1:]}
        if letters - set("alprs"):
            raise UsageError(text=f"jobs {' '.join(words)} is nothing", hint="jobs [-l] [-p] [-a]")
        if "a" in letters:
            await self._print_all()
            return DONE
        await self._runner.refresh()
        lines = self._session.table.lines()
        self._runner.ended_jobs()
        if "r" in letters:
            lines = tuple(line for line in lines if line.state == "Running")
        if "s" in letters:
            lines = tuple(line for line in lines if line.state == "Stopped")
        if "p" in letters:
            self._print("".join(f"{line.gpid}\n" for line in lines))
        else:
            self._print(jobs_text(lines, long="l" in letters))
        told = self._session.resident.told_jobs
        if told:
            self._print(f"in the shell's bash (`command fg` and the like):\n{told}")
        return DONE

    async def _print_all(self) -> None:
        """All jobs of this person on all nodes, those of other shells, too."""
        system = self._session.system
        nodes = await system.select(None)
        answers = await list_jobs(system, nodes, timeout_s=SILENT_S)
        if answers.failures:
            silent = fold(sorted(answers.failures))
            self._complain(f"ssi: no answer from {silent}: what runs there is not shown\n")
        own = {handle.row.gpid for entry in self._session.table for handle in entry.handles}
        rows = [row for reply in answers.replies.values() for row in reply.rows]
        for row in sorted(rows, key=lambda row: row.start_ms):
            if row.argv[-1:] == (NAME,) or row.state in {JobState.EXITED, JobState.LOST}:
                continue
            command = row.argv[2] if row.argv[:2] == ("bash", "-c") else shlex.join(row.argv)
            mark = "*" if row.gpid in own else " "
            self._print(f"{row.gpid}{mark} {row.node:8} {row.state.capitalize():10} {command}\n")

    async def _fg(self, words: list[str]) -> Outcome:
        entry = await self._one(words)
        self._print(f"{entry.command}\n")
        return await self._runner.resume(entry)

    async def _wait(self, words: list[str], step: Step, before: Outcome) -> Outcome:
        if words[:1] == ["-n"] or (words and not all(_is_job(word) for word in words)):
            return await self._runner.evaluate(step.text, before)
        outcome = DONE
        entries = self._named(words) if words else list(self._session.table)
        for entry in entries:
            ended = await self._interruptible(self._runner.ended(entry))
            if ended is None:
                if os.isatty(1):
                    self._print("\n")
                return Outcome(status=INTERRUPTED, statuses=(INTERRUPTED,), ends_line=True)
            outcome = ended if words else DONE
        return outcome

    async def _disown(self, words: list[str]) -> None:
        specs = [word for word in words if not word.startswith("-")]
        every = "-a" in words
        for entry in list(self._session.table) if every else self._named(specs):
            for handle in entry.handles:
                await handle.disown()
            if "-h" not in words:
                self._runner.forget(entry)

    async def _kill(self, words: list[str]) -> Outcome:
        """As bash: all of a job, and one that is stopped goes on, so that it hears of it."""
        table = self._session.table
        named = [table.find(word) for word in self._replaced(words) if word.startswith("%")]
        gpids = [str(handle.row.gpid) for entry in named for handle in entry.handles]
        others = [word for word in self._replaced(words) if not word.startswith("%")]
        outcome = await run_verb(["kill", *others, *gpids])
        for entry in named:
            if entry.state is JobState.STOPPED and not set(words) & _STOPS:
                await self._runner.go_on(entry)
        return outcome

    async def _one(self, words: list[str]) -> Entry:
        """The job that is named; a gpid may be of one that was started elsewhere."""
        word = words[0] if words else "%+"
        known = {handle.row.gpid for entry in self._session.table for handle in entry.handles}
        if word.isdigit() and int(word) >= 10_000_000 and int(word) not in known:
            return await self._runner.adopt(int(word))
        return self._session.table.find(self._numbers(words)[0] if word == "$!" else word)

    def _named(self, words: list[str]) -> list[Entry]:
        return [self._session.table.find(word) for word in self._replaced(words) or ["%+"]]

    def _replaced(self, words: list[str]) -> list[str]:
        return [self._numbers([word])[0] if word == "$!" else word for word in words]

    async def _interruptible(self, deed: Awaitable[ResultT]) -> ResultT | None:
        """Its result; None where ^C came first."""
        task = asyncio.ensure_future(deed)
        with hearing((signal.SIGINT,), lambda _number: task.cancel()):
            try:
                return await task
            except asyncio.CancelledError:
                return None

    def _complain(self, text: str) -> None:
        os.write(2, text.encode())

    def _print(self, text: str) -> None:
        os.write(1, text.encode("utf-8", "surrogateescape"))


def _is_job(word: str) -> bool:
    return word.startswith("%") or word == "$!" or (word.isdigit() and int(word) >= 10_000_000)
