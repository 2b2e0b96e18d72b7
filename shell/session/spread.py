"""A pipeline over several nodes in the foreground: its ends are this terminal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from shell.session.foreground import LossOf
from ssi.client.attachment import put, read_some
from ssi.client.jobs import JobHandle
from ssi.client.pipes import Pipeline, StageEnd
from ssi.model.errors import SsiError
from ssi.model.job import StreamName
from ssi.protocol.refusals import NotAJob

LOOK_S: Final = 1.0
SIGNAL_S: Final = 1.0
"""After which the next stage is told, whatever has become of the word to the one behind it."""


async def run_spread(pipeline: Pipeline, *, loss_of: LossOf) -> tuple[StageEnd, ...] | None:
    """How each stage ended; None where ^Z stopped them.

    The terminal stays as it is: its keys are lines for the first stage, ^C is a signal for all.
    """
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    under_way: set[asyncio.Task[None]] = set()

    def pass_on(number: int) -> None:
        task = loop.create_task(_signal(pipeline, number))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        if number == signal.SIGTSTP:
            stopped.set()

    numbers = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)
    ignored = signal.getsignal(signal.SIGTSTP)
    for number in numbers:
        loop.add_signal_handler(number, pass_on, number)
    working = asyncio.create_task(_work(pipeline, loss_of))
    stopping = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            await asyncio.gather(*under_way, return_exceptions=True)
            return None
        return working.result()
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
        signal.signal(signal.SIGTSTP, ignored)
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


async def _signal(pipeline: Pipeline, number: int) -> None:
    """From the last stage to the first, lest one ends well because its input was ended before."""
    sending = []
    for stage in reversed(pipeline.stages):
        sending.append(asyncio.create_task(Pipeline([stage]).signal(number)))
        await asyncio.wait({sending[-1]}, timeout=SIGNAL_S)
    await asyncio.gather(*sending)


async def _work(pipeline: Pipeline, loss_of: LossOf) -> tuple[StageEnd, ...]:
    feeding = asyncio.create_task(_feed(pipeline.stages[0]))
    shows = [_copy(stage, "stderr", 2) for stage in pipeline.stages]
    shows.append(_copy(pipeline.stages[-1], "stdout", 1))
    showing = [asyncio.create_task(show) for show in shows]
    ends = [asyncio.create_task(_end_of(stage, loss_of)) for stage in pipeline.stages]
    try:
        waiting = set(ends)
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if any(task.result().error is not None for task in done):
                # What reads from it, or writes to it, would wait for ever.
                await _others(pipeline, ends).signal(signal.SIGHUP)
        result = tuple(task.result() for task in ends)
        lost = {end.row.node for end in result if end.error is not None}
        for copying, stage in zip(showing, (*pipeline.stages, pipeline.stages[-1]), strict=True):
            if stage.row.node not in lost:
                await asyncio.gather(copying, return_exceptions=True)
        await _others(pipeline, ends).release()
        return result
    finally:
        for task in (feeding, *showing, *ends):
            task.cancel()
        await asyncio.gather(feeding, *showing, *ends, return_exceptions=True)


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


async def _feed(stage: JobHandle) -> None:
    """Gives the first stage what is typed, or what comes from a pipe or a file."""
    offset = 0
    with suppress(SsiError):
        while True:
            data = await read_some(0)
            end = not data
            while True:
                try:
                    accepted = await stage.write(offset, data, end=end)
                except NotAJob:
                    return
                data, offset = data[accepted.offset - offset :], accepted.offset
                if accepted.closed:
                    return
                if not data:
                    break
            if end:
                return


async def _copy(stage: JobHandle, stream: StreamName, descriptor: int) -> None:
    offset = 0
    with suppress(NotAJob):
        while True:
            data = await stage.read(stream, offset)
            offset = data.offset + len(data.data)
            try:
                await put(descriptor, data.data)
            except OSError:
                await stage.signal(signal.SIGPIPE)
                return
            if data.ended:
                return
