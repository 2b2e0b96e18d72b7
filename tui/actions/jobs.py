"""Jobs: their terminals, their output, and new ones."""

from __future__ import annotations

import asyncio
import codecs
import re
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Final

from ssi.client.jobs import JobHandle
from ssi.client.ownwords import own_words
from ssi.model.errors import SsiError
from ssi.model.job import StreamName
from ssi.protocol.refusals import NotAJob
from ssi.view.text import plain
from tui.actions.signalling import described, whole_jobs
from tui.desk import Desk
from tui.model.entry import Target
from tui.model.outcome import Fate, Outcome, failed
from tui.model.parts import Tone
from tui.modes.pager import Pager
from tui.modes.prompt import Prompt

START_TIMEOUT_S: Final = 30.0

MOST_READ: Final = 16
"""Jobs whose outputs are shown as one text: each is asked again and again."""

_CONTROL: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]|\x1b[=>78]|\r"
)
"""What moves and colours the cursor of a terminal; in a text that is read it says nothing."""


async def attach(desk: Desk) -> None:
    """The whole terminal for a job; its escape comes back here."""
    job = await _chosen_job(desk)
    if job is None:
        return
    if not job.row.has_terminal:
        desk.say(f"job {job.row.gpid} has no terminal; o shows what it writes", Tone.WARN)
        return
    status = await desk.lend_terminal([*own_words(), "attach", str(job.row.gpid)])
    desk.say(f"back from job {job.row.gpid}" + (f", status {status}" if status else ""))


async def output(desk: Desk) -> None:
    """What a job has written and writes on; of several that are tagged, each line with its job."""
    targets = whole_jobs(desk.targets())
    if len(targets) > MOST_READ:
        desk.say(f"at most {MOST_READ} jobs are read at once", Tone.WARN)
        return
    jobs = [job for target in targets if (job := await _found(desk, target)) is not None]
    if not jobs:
        return
    first = jobs[0].row
    title = f"job {first.gpid} on {first.node}: {shlex.join(first.argv)}"
    if len(jobs) > 1:
        title = f"{len(jobs)} jobs: {', '.join(str(job.row.gpid) for job in jobs)}"
    pager = Pager(title, [], grows=True, save=_kept)
    tasks = [
        asyncio.create_task(_copy(desk, job, stream, pager, named=len(jobs) > 1))
        for job in jobs
        for stream in _streams(job)
    ]
    try:
        await desk.ask(pager)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def run(desk: Desk) -> None:
    """Starts a command line as a detached job, placed as `ssi run` does."""
    text = await desk.ask(Prompt("Run ([@node] command):"))
    if not isinstance(text, str) or not text.strip():
        return
    where: list[str] = []
    if text.startswith("@"):
        node, _, text = text[1:].partition(" ")
        where = ["-n", node]
    what = f"run {plain(text)}"
    number = desk.begin(what)
    try:
        desk.tell(await _started(what, [*own_words(), "run", "-d", *where, "--", "sh", "-c", text]))
    finally:
        desk.end(number)


async def _started(what: str, words: list[str]) -> Outcome:
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return Outcome(what=what, fate=Fate.UNKNOWN, detail=f"no answer in {START_TIMEOUT_S:.0f} s")
    if process.returncode:
        said = err.decode(errors="replace").strip().removeprefix("ssi: ")
        return Outcome(what=what, fate=Fate.NOT_DONE, detail=plain(said))
    return Outcome(what=what, fate=Fate.DONE, detail=f"job {plain(out.decode().strip())}")


async def _chosen_job(desk: Desk) -> JobHandle | None:
    """The job of the process under the cursor; None where there is none, which is told."""
    target = desk.chosen()
    return await _found(desk, target) if target is not None else None


async def _found(desk: Desk, target: Target) -> JobHandle | None:
    """The job of a process; None where it has none, which is told."""
    try:
        if not target.job:
            raise NotAJob(gpid=target.gpid, node=target.node)
        return await JobHandle.find(desk.system, target.job)
    except SsiError as exc:
        desk.tell(failed(f"open {described(target)}", exc))
        return None


def _streams(job: JobHandle) -> tuple[StreamName, ...]:
    return ("stdout",) if job.row.has_terminal else ("stdout", "stderr")


async def _copy(
    desk: Desk, job: JobHandle, stream: StreamName, pager: Pager, *, named: bool
) -> None:
    """Adds whole lines of a stream to a text until the job has ended.

    Args:
        desk: That is drawn anew.
        job: Whose stream it is.
        stream: That is read.
        pager: That shows the text.
        named: Whether each line begins with the number of its job.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    offset, rest = 0, ""

    def add(text: str) -> None:
        lines = _CONTROL.sub("", text).split("\n")
        pager.add("\n".join(f"{job.row.gpid} {line}" if named else line for line in lines))

    try:
        while True:
            data = await job.read(stream, offset, peek=True)
            offset = data.offset + len(data.data)
            rest += decoder.decode(data.data, final=data.ended)
            whole, newline, rest = rest.rpartition("\n")
            if newline:
                add(whole)
            if rest and (data.ended or not data.data):
                add(rest)
                rest = ""
            desk.redraw()
            if data.ended:
                return
    except SsiError as exc:
        add(f"({stream} cannot be read on: {exc.what()})")
        desk.redraw()


def _kept(lines: object) -> str:
    """Keeps a text in the working directory; says where."""
    assert isinstance(lines, list)
    for number in range(1000):
        path = Path(f"ssi-output-{number}.txt")
        with suppress(FileExistsError):
            try:
                with path.open("x", encoding="utf-8") as file:
                    file.write("\n".join(lines) + "\n")
            except FileExistsError:
                raise
            except OSError as exc:
                return f"not saved: {exc.strerror}"
            return f"saved in {path}"
    return "not saved: too many are there"
