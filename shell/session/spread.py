"""A pipeline over several nodes in the foreground: its ends are this terminal."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Final

from shell.session.foreground import LossOf, await_stop
from shell.session.stagescreen import StageScreen
from shell.session.typedahead import as_lines, came_untreated
from ssi.client.attachment import put, read_some
from ssi.client.hearing import hearing
from ssi.client.jobs import JobHandle
from ssi.client.pipes import Pipeline, StageEnd
from ssi.client.system import System
from ssi.client.viewer import AHEAD_S, Watch
from ssi.model.errors import SsiError
from ssi.model.job import StreamName
from ssi.protocol.refusals import NotAJob

LOOK_S: Final = 1.0
SIGNAL_S: Final = 1.0
"""After which the next stage is told, whatever has become of the word to the one behind it."""


async def run_spread(
    system: System, pipeline: Pipeline, watch: Watch, *, loss_of: LossOf
) -> tuple[StageEnd, ...] | None:
    """How each stage ended; None where they were stopped.

    Keys are lines for the first stage and ^C is a signal for all, as long as no program of the
    last stage takes keys from its terminal (:class:`shell.session.stagescreen.StageScreen`).

    Args:
        system: To ask.
        pipeline: Started, or continued.
        watch: How far the terminal of the last stage was shown, and what was typed before; kept up
            to date.
        loss_of: Why nothing is to be hoped of a node.
    """
    stopped = asyncio.Event()
    last = pipeline.stages[-1]
    screen = StageScreen(last, watch) if last.row.has_terminal else None
    with _signals_for(pipeline, stopped) as under_way, screen.lent() if screen else nullcontext():
        working = asyncio.create_task(_work(pipeline, screen, watch, loss_of))
        stopping = asyncio.create_task(stopped.wait())
        doing: list[asyncio.Task[object]] = [working, stopping]
        if screen is not None:
            doing.append(asyncio.create_task(_stop_itself(system, pipeline, screen, loss_of)))
        try:
            await asyncio.wait(doing, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            await asyncio.gather(*under_way, return_exceptions=True)
            if screen is not None:
                await screen.settle(system)
            return None
        finally:
            for task in doing:
                task.cancel()
            await asyncio.gather(*doing, return_exceptions=True)


@contextmanager
def _signals_for(pipeline: Pipeline, stopped: asyncio.Event) -> Iterator[set[asyncio.Task[None]]]:
    """What ^C, ^Z and the like are: signals for all stages; what is under way of it."""
    loop = asyncio.get_running_loop()
    under_way: set[asyncio.Task[None]] = set()

    def pass_on(number: int) -> None:
        task = loop.create_task(_signal(pipeline, number))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        if number == signal.SIGTSTP:
            stopped.set()

    ignored = signal.getsignal(signal.SIGTSTP)
    try:
        with hearing((signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP), pass_on):
            yield under_way
    finally:
        signal.signal(signal.SIGTSTP, ignored)


async def _stop_itself(
    system: System, pipeline: Pipeline, screen: StageScreen, loss_of: LossOf
) -> None:
    """Until the last stage has stopped itself, as editors do at ^Z; the others are stopped then."""
    try:
        await await_stop(system, pipeline.stages[-1], screen.suspended, loss_of)
    except SsiError:
        await asyncio.Event().wait()  # its node is lost, which the end of the stage says
    await _signal(Pipeline(pipeline.stages[:-1]), signal.SIGTSTP)


async def _signal(pipeline: Pipeline, number: int) -> None:
    """From the last stage to the first, lest one ends well because its input was ended before."""
    sending = []
    for stage in reversed(pipeline.stages):
        # A group that no shell watches over is not stopped by SIGTSTP (setpgid(2), orphaned).
        is_stop = number == signal.SIGTSTP and not stage.row.has_terminal
        deed = Pipeline([stage]).signal(signal.SIGSTOP if is_stop else number)
        sending.append(asyncio.create_task(deed))
        await asyncio.wait({sending[-1]}, timeout=SIGNAL_S)
    await asyncio.gather(*sending)


async def _work(
    pipeline: Pipeline, screen: StageScreen | None, watch: Watch, loss_of: LossOf
) -> tuple[StageEnd, ...]:
    feeding = [asyncio.create_task(_feed(pipeline.stages[0], screen, watch))]
    shown = [stage for stage in pipeline.stages if not stage.row.has_terminal]
    shows = [_copy(stage, "stderr", 2, screen) for stage in shown]
    if screen is None:
        shows.append(_copy(pipeline.stages[-1], "stdout", 1, None))
    else:
        shows.append(screen.show())
        feeding.append(asyncio.create_task(screen.follow_size()))
    showing = [asyncio.create_task(show) for show in shows]
    ends = [asyncio.create_task(_end_of(stage, loss_of)) for stage in pipeline.stages]
    try:
        waiting = set(ends)
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if screen is not None and ends[0].done():
                screen.take_keys()
            if any(task.result().error is not None for task in done):
                # What reads from it, or writes to it, would wait for ever.
                await _others(pipeline, ends).signal(signal.SIGHUP)
        result = tuple(task.result() for task in ends)
        lost = {end.row.node for end in result if end.error is not None}
        for copying, stage in zip(showing, (*shown, pipeline.stages[-1]), strict=True):
            if stage.row.node not in lost:
                await asyncio.gather(copying, return_exceptions=True)
        await _others(pipeline, ends).release()
        return result
    finally:
        for task in (*feeding, *showing, *ends):
            task.cancel()
        await asyncio.gather(*feeding, *showing, *ends, return_exceptions=True)


def _others(pipeline: Pipeline, ends: Sequence[asyncio.Task[StageEnd]]) -> Pipeline:
    """The stages that are within reach: whoever asks the others waits for long."""
    stages = zip(pipeline.stages, ends, strict=True)
    return Pipeline(
        [stage for stage, end in stages if not (end.done() and end.result().error is not None)]
    )


async def _end_of(stage: JobHandle, loss_of: LossOf) -> StageEnd:
    """How a stage ends; it is given up as soon as its node is believed dead."""
    waiting = asyncio.create_task(stage.wait())
    try:
        while not waiting.done():
            await asyncio.wait({waiting}, timeout=LOOK_S)
            loss = loss_of(stage.row.node)
            if not waiting.done() and loss is not None:
                return StageEnd(row=stage.row, error=loss)
        return StageEnd(row=waiting.result())
    except SsiError as exc:
        return StageEnd(row=stage.row, error=exc)
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def _feed(stage: JobHandle, screen: StageScreen | None, watch: Watch) -> None:
    """Gives the first stage what is typed, or what comes from a pipe or a file.

    What it does not want, or what the screen of the last stage takes, is for that.
    """
    offset = 0
    is_closed = False
    is_ahead = os.isatty(0) and bool(watch.unsent or select.select([0], [], [], 0)[0])
    if is_ahead:
        await asyncio.sleep(AHEAD_S)
    ahead, watch.unsent = watch.unsent, b""
    with suppress(SsiError):
        while True:
            data, ahead = ahead or await read_some(0), b""
            if screen is not None and (is_closed or screen.takes_keys):
                if not data:
                    return
                await screen.type(data)
                continue
            end = not data
            if is_ahead and came_untreated(data):
                data, end = await _treat(data)
            is_ahead = is_ahead and came_untreated(data)
            while not is_closed and (data or end):
                try:
                    accepted = await stage.write(offset, data, end=end)
                except NotAJob:
                    is_closed = True
                    break
                data, offset = data[accepted.offset - offset :], accepted.offset
                is_closed = accepted.closed
                if not data:
                    break
            is_closed = is_closed or end
            if is_closed and screen is None:
                return
            if is_closed and screen is not None:
                screen.take_keys()
                await screen.type(data)


async def _treat(keys: bytes) -> tuple[bytes, bool]:
    """What was typed behind the line's Enter, as lines, on the screen as well; whether it ends."""
    if not keys:
        return b"", True
    ahead = as_lines(keys, termios.tcgetattr(0)[tty.CC])
    if ahead.signal:
        signal.raise_signal(ahead.signal)
    with suppress(OSError):  # the window was closed
        await put(1, ahead.text)
    return ahead.text, ahead.ended


async def _copy(
    stage: JobHandle, stream: StreamName, descriptor: int, screen: StageScreen | None
) -> None:
    offset = 0
    with suppress(NotAJob):
        while True:
            data = await stage.read(stream, offset)
            offset = data.offset + len(data.data)
            try:
                await put(descriptor, data.data if screen is None else screen.beside(data.data))
            except OSError:
                await stage.signal(signal.SIGPIPE)
                return
            if data.ended:
                return
