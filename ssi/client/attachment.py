"""This process's own stdin, stdout and stderr, joined to those of a job."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import stat
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from ssi.client.jobs import POLL_MS, JobHandle
from ssi.model.errors import SsiError, first_error
from ssi.model.job import JobRow, StreamName
from ssi.protocol.refusals import NoSuchProcess, NotAJob

READ_BYTES: Final = 256 * 1024


HASTEN_AFTER_BYTES: Final = 4 * 1024 * 1024
"""Of output, after which a channel to the job is worth its set-up."""

Sink = Callable[[bytes], Awaitable[None]]
"""Takes bytes of a job's output, in their order."""

Source = Callable[[], Awaitable[bytes]]
"""Gives the next bytes for a job's input; none at their end."""


class OutputClosed(Exception):
    """Whoever read this process's output left: as SIGPIPE, without a word."""


async def attach(
    job: JobHandle, *, stdin: int | None, stdout: int = 1, stderr: int = 2, peek: bool = False
) -> JobRow:
    """Carries bytes between the descriptors and the job until it has ended and all has arrived.

    It is over once both its output has arrived to the last byte and its end has. The end is asked
    for from the beginning: that of a short job is known when its output is, without one more
    question. What was read of a file and the job has not is there for whoever reads on, as where
    the job had read the file itself: ``while read node; do ssi run -n $node uptime; done <nodes``.

    Args:
        job: Started or found.
        stdin: Descriptor to read from, or None to leave the job's input alone.
        stdout: Descriptor to write to.
        stderr: Descriptor to write to.
        peek: Only look: what is read is left for the job's own client.

    Raises:
        OutputClosed: ``stdout`` or ``stderr`` takes no more; the job was told by SIGPIPE.
        SsiError: The job is out of reach.
    """
    ahead = 0

    async def source() -> bytes:
        nonlocal ahead
        assert stdin is not None
        data = await read_some(stdin)
        ahead += len(data)
        return data

    row = await connect(
        job,
        source=None if stdin is None else source,
        sinks=(lambda data: put(stdout, data), lambda data: put(stderr, data)),
        peek=peek,
    )
    if stdin is not None and job.consumed is not None:
        _give_back(stdin, ahead - job.consumed)
    return row


async def connect(
    job: JobHandle, *, source: Source | None, sinks: tuple[Sink, Sink], peek: bool = False
) -> JobRow:
    """Carries bytes between a job and whatever gives and takes them, as :func:`attach`.

    Args:
        job: Started or found.
        source: Its input; None to leave that alone.
        sinks: Of its stdout and stderr.
        peek: Only look: what is read is left for the job's own client.

    Raises:
        OutputClosed: A sink takes no more; the job was told by SIGPIPE.
        OSError: A sink failed otherwise, in a group; likewise.
        SsiError: The job is out of reach.
    """
    aside: list[asyncio.Task[Any]] = []  # Any: what they return is asked of them by name
    try:
        if job.output is not None and not all(job.output):  # two may have to wait for each other
            for sink, data in zip(sinks, job.output, strict=True):
                await sink(data)
            return await job.wait()
        if source is not None and job.has_input:
            aside.append(asyncio.create_task(_feed(job, source)))
        ending = asyncio.create_task(job.wait())
        aside.append(ending)
        async with asyncio.TaskGroup() as pumps:
            pumps.create_task(_drain_known(job, "stdout", sinks[0], peek=peek))
            if not job.row.has_terminal:
                pumps.create_task(_drain_known(job, "stderr", sinks[1], peek=peek))
        return await ending
    except* BrokenPipeError as group:
        await job.signal(signal.SIGPIPE)
        raise OutputClosed from group
    except* OSError:  # a full disk, say: nobody has what the job writes from now on
        await job.signal(signal.SIGPIPE)
        raise
    except* SsiError as group:
        raise first_error(group) or group from group
    finally:
        job.dawdle()
        for task in aside:
            task.cancel()
        await asyncio.gather(*aside, return_exceptions=True)


async def copy_stream(job: JobHandle, stream: StreamName, descriptor: int, *, follow: bool) -> None:
    """Writes a detached job's log to a descriptor; with ``follow`` until the job has ended."""
    offset = 0
    while True:
        data = await job.read(stream, offset, peek=True, wait_ms=POLL_MS if follow else 0)
        await put(descriptor, data.data)
        offset = data.offset + len(data.data)
        if data.ended or not (data.data or follow):
            return


async def _drain_known(job: JobHandle, stream: StreamName, sink: Sink, *, peek: bool) -> None:
    """As :func:`_drain`, while its node knows the job; what became of it :meth:`wait` tells."""
    with suppress(NoSuchProcess):
        await _drain(job, stream, sink, peek=peek)


async def _drain(job: JobHandle, stream: StreamName, sink: Sink, *, peek: bool) -> None:
    """Copies a stream to its end; the next bytes are fetched while the last are written."""
    offset = 0
    writing: asyncio.Task[None] | None = None
    try:
        while True:
            data = await job.read(stream, offset, peek=peek)
            if writing is not None:
                await writing
            offset = data.offset + len(data.data)
            if offset > HASTEN_AFTER_BYTES and stream == "stdout":
                job.hasten(peek=peek)
            writing = asyncio.ensure_future(sink(data.data))
            if data.ended:
                await writing
                return
    finally:
        if writing is not None:  # of many readers one may leave while this one is fetching
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)


async def _feed(job: JobHandle, source: Source) -> None:
    """Copies a source to the job's input until either ends."""
    offset = 0
    while True:
        data = await source()
        while True:
            try:
                accepted = await job.write(offset, data, end=not data)
            except NotAJob:  # it has ended, and its shim with it
                return
            if accepted.closed:
                return
            data = data[max(0, accepted.offset - offset) :]
            at_end, offset = not data and accepted.offset == offset, accepted.offset
            if not data:
                break
        if at_end:
            return


def _give_back(descriptor: int, count: int) -> None:
    """So many bytes of a file are read again; those of a pipe or terminal are gone."""
    with suppress(OSError):  # closed
        if count > 0 and stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.lseek(descriptor, -count, os.SEEK_CUR)


def is_nothing(descriptor: int) -> bool:
    """Whether nothing will ever come from it: it is ``/dev/null``."""
    with suppress(OSError):  # closed
        status = os.fstat(descriptor)
        return stat.S_ISCHR(status.st_mode) and status.st_rdev == os.makedev(1, 3)
    return False


async def read_some(descriptor: int) -> bytes:
    """Bytes from a descriptor, empty at its end; waits without a thread where it can be polled."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    try:
        loop.add_reader(descriptor, readable.set)
    except PermissionError:  # a regular file or /dev/null never blocks, and epoll refuses it
        return os.read(descriptor, READ_BYTES)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)
    with suppress(OSError):  # a terminal that went away reads as its end
        return os.read(descriptor, READ_BYTES)
    return b""


async def put(descriptor: int, data: bytes) -> None:
    """Writes all of it without holding up the loop.

    A thread costs 1.5 ms to start (measured), so what surely does not block goes without one:
    POLLOUT promises room for PIPE_BUF bytes (pipe(7)).
    """
    if not data:
        return
    if len(data) <= select.PIPE_BUF:
        ready = select.poll()
        ready.register(descriptor, select.POLLOUT)
        if ready.poll(0):
            write_all(descriptor, data)
            return
    await asyncio.to_thread(write_all, descriptor, data)


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of it; waits where the descriptor is non-blocking and full.

    Raises:
        BrokenPipeError: Nobody reads any more.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
