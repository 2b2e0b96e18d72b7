"""Runs the pieces of a line: in the session's bash, as jobs, as pipelines over nodes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from shell.language.plan import Step
from shell.session.aside import Asides
from shell.session.background import Background
from shell.session.commandline import run_verb
from shell.session.foreground import hold
from shell.session.jobtable import Entry, job_text, word_for
from shell.session.launch import piped_spec, start_job
from shell.session.outcome import FAILED, INTERRUPTED, STOPPED, Outcome, of_statuses
from shell.session.placing import nodes_of
from shell.session.pressed import INTERRUPT, pressed
from shell.session.spread import run_spread
from ssi.client.attachment import read_some
from ssi.client.hearing import hearing
from ssi.client.jobs import JobHandle
from ssi.client.pipes import Pipeline, StageSpec
from ssi.client.starting import begun, take_down
from ssi.client.terminal import has_terminal, on_resize, raw_terminal, terminal_of
from ssi.client.viewer import AHEAD_S, Watch
from ssi.model.errors import SsiError
from ssi.model.job import JobRow, JobState

if TYPE_CHECKING:
    from shell.session.session import Session

Deed: TypeAlias = Callable[[JobHandle], Awaitable[None]]


class Runner:
    """See the module."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._background = Background(session.system, session.table, self._show)
        self._asides = Asides(session)
        self._counted = 0

    async def run(self, step: Step, before: Outcome) -> Outcome:
        """Does what a step says.

        Raises:
            ShellLeft: The session's bash ended, as it was told.
            SsiError: What the person should read.
        """
        match step.kind:
            case "session":
                return await self.evaluate(step.text, before)
            case "spread":
                outcome = await self._spread(step, before)
            case _:
                outcome = await self._job(step)
        return outcome.negated() if step.negated else outcome

    async def evaluate(self, text: str, before: Outcome) -> Outcome:
        """Evaluates a text in the session's bash, whose terminal is this one meanwhile."""
        resident = self._session.resident
        if "PIPESTATUS" in text and len(before.statuses) > 1:
            text = " | ".join(f"(exit {status})" for status in before.statuses) + f"\n{text}"

        def resized() -> None:
            size = terminal_of()
            resident.resize(size.rows, size.columns)

        def interrupt(_number: int) -> None:
            resident.keys(INTERRUPT)

        with raw_terminal(0), on_resize(resized), hearing((signal.SIGINT,), interrupt):
            resized()
            typing = asyncio.create_task(self._type())
            try:
                told = await resident.line(text, before.status)
            finally:
                typing.cancel()
                await asyncio.gather(typing, return_exceptions=True)
        self._session.typeahead += told.unread.encode("latin-1")
        status, *statuses = told.statuses
        return Outcome(status=status, statuses=tuple(statuses), ends_line=told.is_broken)

    async def resume(self, entry: Entry) -> Outcome:
        """Brings a job to the foreground, and lets it go on."""
        self._background.leave(entry)
        await self._each(entry, lambda job: job.signal(signal.SIGCONT))
        entry.state = JobState.RUNNING
        if len(entry.handles) > 1 or not entry.handles[-1].row.has_terminal:
            # As new writers: what is typed now is numbered from 0 again, and no repetition.
            system = self._session.system
            entry.handles = tuple(JobHandle(system, job.row) for job in entry.handles)
            pipeline = Pipeline(entry.handles)
            return await self._hold_spread(pipeline, entry.command, entry.watch, entry)
        job = await JobHandle.find(self._session.system, entry.gpid)
        entry.handles = (job,)
        return await self._hold(job, entry.command, entry.watch, entry, "")

    async def go_on(self, entry: Entry) -> None:
        """Lets a stopped job go on in the background."""
        await self._each(entry, lambda job: job.signal(signal.SIGCONT))
        entry.state = JobState.RUNNING
        self._background.follow(entry)

    async def adopt(self, gpid: int) -> Entry:
        """A job that another shell, or nobody, started, as one of this shell."""
        job = await JobHandle.find(self._session.system, gpid)
        return self._session.table.add(" ".join(job.row.argv), (job,), Watch())

    async def ended(self, entry: Entry) -> Outcome:
        """Waits for a job in the background."""
        await self._background.wait(entry)
        status = entry.statuses[-1] if entry.statuses else FAILED
        return Outcome(status=status, statuses=entry.statuses)

    def forget(self, entry: Entry) -> None:
        """A job is none of this shell's any more."""
        self._background.leave(entry)
        self._session.table.remove(entry)

    def ended_jobs(self) -> list[str]:
        """What is to be told of jobs in the background; those that ended are then forgotten."""
        return self._background.news()

    async def refresh(self) -> None:
        """Looks where the jobs of the shell are now: they may have been moved."""

        async def look(handle: JobHandle) -> None:
            with suppress(SsiError):
                handle.row = (await JobHandle.find(self._session.system, handle.row.gpid)).row

        entries = [entry for entry in self._session.table if not entry.is_over]
        await asyncio.gather(*(look(handle) for entry in entries for handle in entry.handles))

    async def query_on(self, node: str, script: str, limit_s: float) -> bytes | None:
        """What a script prints on another node; None where it does not come in time."""
        return await self._asides.ask(node, script, limit_s)

    async def close(self) -> None:
        """Lets go of all jobs: they go on."""
        await self._asides.close()
        await self._background.close()

    async def _job(self, step: Step) -> Outcome:
        session = self._session
        part = step.parts[0]
        nodes = await nodes_of(session.system, part.placement, session.where.node)
        many = part.placement is not None and part.placement.may_be_many
        if many and not step.background:
            return await self._on_many(nodes, part.text)
        statuses = "" if step.is_simple or step.background else self._statuses_path()
        handles = []
        for node in nodes:
            start = start_job(
                session.system,
                node,
                part.text,
                cwd=session.where.cwd,
                state=session.resident.holding.path,
                home=session.where.node,
                background=step.background,
                statuses=statuses,
            )
            with pressed() as keys:
                handles.append(await begun(session.system, start, take_down))
        if not step.background:
            watch = Watch(unsent=bytes(keys))
            return await self._hold(handles[0], step.shown, watch, None, statuses)
        for job in handles:
            self._into_background(step.shown.strip(), (job,))
        return Outcome(status=0, statuses=(0,), gpids=tuple(job.row.gpid for job in handles))

    async def _on_many(self, nodes: tuple[str, ...], text: str) -> Outcome:
        """On each of many nodes at once, equal outputs as one."""
        session = self._session
        state = session.resident.holding.path
        words = ["run", "-n", ",".join(nodes), "--fold", "--no-tty", "--cwd", session.where.cwd]
        words += ["--env", f"BASH_ENV=/ssi/n/{session.where.node}{state}"]
        return await run_verb([*words, "--", "bash", "-c", text])

    async def _hold(
        self, job: JobHandle, command: str, watch: Watch, entry: Entry | None, statuses: str
    ) -> Outcome:
        """Gives a job the terminal until it ends or stops."""
        session = self._session
        watch.unsent += session.typed_ahead()
        try:
            row = await hold(session.system, job, watch, loss_of=session.neighbours.loss_of)
        except asyncio.CancelledError:
            if entry is None:  # ^C came as it was started, before it had the terminal
                session.system.later(take_down(job))
            raise
        gpids = (job.row.gpid,)
        if row.state in {JobState.EXITED, JobState.LOST}:
            with suppress(SsiError):
                await job.release()
            if entry is not None:
                session.table.remove(entry)
            session.typeahead += job.unread + watch.unsent
            status = _status_of(row)
            if status == INTERRUPTED and os.isatty(1):
                self._tell("\n")
            told = await self._statuses_at(statuses) if statuses else ()
            was_interrupted = row.killed_by == signal.SIGINT
            statuses_of = told or (status,)
            return Outcome(
                status=status, statuses=statuses_of, gpids=gpids, ends_line=was_interrupted
            )
        await job.disown()
        entry = entry or session.table.add(command, (job,), watch)
        session.table.touch(entry)
        entry.state = row.state
        if row.state is not JobState.STOPPED:  # the person left it by ~.
            self._background.follow(entry)
        self._tell_held(entry)
        return Outcome(status=STOPPED, statuses=(STOPPED,), gpids=gpids, ends_line=True)

    async def _spread(self, step: Step, before: Outcome) -> Outcome:
        session = self._session
        stages = []
        is_shown = not step.background and has_terminal()
        for number, part in enumerate(step.parts):
            nodes = await nodes_of(session.system, part.placement, session.where.node)
            if len(nodes) != 1 or (part.placement is not None and part.placement.may_be_many):
                return await self.evaluate(step.text, before)  # many are one stage only in bash
            follower = step.parts[number + 1] if number + 1 < len(step.parts) else None
            text = part.text
            if follower is not None and follower.takes_errors:
                text = f"{{ {text}\n}} 2>&1"
            spec = await piped_spec(
                session.system,
                nodes[0],
                text,
                cwd=session.where.cwd,
                state=session.resident.holding.path,
                home=session.where.node,
                background=step.background,
                shows=is_shown and follower is None,
            )
            stages.append(StageSpec(node=nodes[0], spec=spec))
        start = Pipeline.start(session.system, stages)
        with pressed() as keys:
            pipeline = await begun(session.system, start, Pipeline.take_down)
        if step.background:
            await pipeline.stages[0].write(0, b"", end=True)
            self._into_background(step.shown.strip(), pipeline.stages)
            gpids = tuple(stage.row.gpid for stage in pipeline.stages)
            return Outcome(status=0, statuses=(0,), gpids=gpids)
        return await self._hold_spread(pipeline, step.shown, Watch(unsent=bytes(keys)), None)

    async def _hold_spread(
        self, pipeline: Pipeline, command: str, watch: Watch, entry: Entry | None
    ) -> Outcome:
        session = self._session
        gpids = tuple(stage.row.gpid for stage in pipeline.stages)
        watch.unsent += session.typed_ahead()
        result = await run_spread(
            session.system, pipeline, watch, loss_of=session.neighbours.loss_of
        )
        if result is None:
            await pipeline.disown()
            entry = entry or session.table.add(command, pipeline.stages, watch)
            session.table.touch(entry)
            entry.state = JobState.STOPPED
            self._tell_held(entry)
            return Outcome(status=STOPPED, statuses=(STOPPED,), gpids=gpids, ends_line=True)
        if entry is not None:
            session.table.remove(entry)
        session.typeahead += pipeline.stages[-1].unread + watch.unsent
        for number, end in enumerate(result, 1):
            if end.problem:
                self._tell(f"ssi: stage {number} ({end.row.node}) is lost: {end.problem}\n")
        statuses = tuple(end.status for end in result)
        if INTERRUPTED in statuses and os.isatty(1):
            self._tell("\n")
        pipefail = "set -o pipefail" in session.resident.holding.state
        status = of_statuses(statuses, pipefail=pipefail)
        was_interrupted = any(end.row.killed_by == signal.SIGINT for end in result)
        return Outcome(status=status, statuses=statuses, gpids=gpids, ends_line=was_interrupted)

    def _into_background(self, command: str, handles: tuple[JobHandle, ...]) -> None:
        entry = self._session.table.add(command, handles, Watch())
        self._background.follow(entry)
        self._tell(f"[{entry.number}] {entry.gpid}\n")

    async def _type(self) -> None:
        """Carries keys to the session's terminal; of a pipe or a file it reads nothing."""
        if not os.isatty(0):
            return
        resident = self._session.resident
        self._session.type_ahead(resident.late_keys())
        if self._session.typeahead:
            await asyncio.sleep(AHEAD_S)
            resident.keys(self._session.typed_ahead())
        while keys := await read_some(0):
            resident.keys(keys)

    def _statuses_path(self) -> str:
        self._counted += 1
        folder = self._session.resident.holding.path.rpartition("/")[0]
        return f"{folder}/statuses-{self._counted}"

    async def _statuses_at(self, path: str) -> tuple[int, ...]:
        text = await self._session.resident.fetch(path, 2.0)
        return tuple(int(word) for word in (text or b"").split()[1:])

    async def _each(self, entry: Entry, deed: Deed) -> None:
        await asyncio.gather(*(deed(job) for job in entry.handles))

    async def _show(self, data: bytes) -> None:
        await self._session.show(data)

    def _tell_held(self, entry: Entry) -> None:
        mark = self._session.table.mark(entry)
        self._tell(f"\n{job_text(entry.number, mark, word_for(entry), entry.command)}\n")

    def _tell(self, text: str) -> None:
        os.write(2, text.encode("utf-8", "surrogateescape"))


def _status_of(row: JobRow) -> int:
    return FAILED if row.exit_status is None or row.state is JobState.LOST else row.exit_status
