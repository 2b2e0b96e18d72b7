"""A person at a terminal, joined to the terminal of a job. Any number of viewers may be."""

from __future__ import annotations

import asyncio
import os
import select
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from ssi.client.attachment import READ_BYTES, put, read_some
from ssi.client.escape import Escapes, Word, help_text
from ssi.client.hearing import hearing
from ssi.client.jobs import JobHandle
from ssi.client.replay import shown_again
from ssi.client.screenmodes import ScreenModes
from ssi.client.terminal import on_resize, raw_terminal, terminal_of
from ssi.model.errors import first_error
from ssi.model.job import JobRow, Terminal
from ssi.protocol.refusals import NoSuchProcess, NotAJob

MOST_TYPED_BYTES: Final = 256 * 1024
"""Of keys that the job has not taken yet; no more are read beyond that."""

ANSWER_S: Final = 1.0
"""For the last keys' answer once the job has ended: whether it still got them."""

AHEAD_S: Final = 0.1
"""Until keys that were typed before a program began are given to it. One that has ended by then
has not read any, and they need not be asked back of its terminal."""

HASTEN_S: Final = 0.2
"""A program that has not ended by then is one that keys are typed to."""

END_OF_INPUT: Final = b"\x04"
"""``^D``, where the keys came from a pipe or a file that has ended."""

_INTERRUPT: Final = b"\x03"
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@dataclass(eq=False)
class ViewerLeft(Exception):
    """The person left, or had to; the job did not end.

    Attributes:
        disowned: The job is to go on.
        signal: That told this process to end; 0 for none.
    """

    disowned: bool = False
    signal: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How somebody views a job.

    Attributes:
        escape: One byte, or empty for none.
        read_only: No key reaches the job, nor does the size of this window.
        newcomer: The job has run before: what it has shown is shown again.
    """

    escape: bytes = b"~"
    read_only: bool = False
    newcomer: bool = False


@dataclass(slots=True, kw_only=True)
class Watch:
    """What somebody who goes away from a job, and comes back to it, knows of it.

    Attributes:
        seen_bytes: How far its output was shown.
        typed: Is told what is typed.
        unsent: Keys that were typed and have not gone to the job: when it begins, those for it;
            when it was left or has ended, those that it can no more have read.
    """

    seen_bytes: int = 0
    unsent: bytes = b""
    typed: Callable[[bytes], None] | None = None


async def view_job(
    job: JobHandle, view: View, *, keys: int = 0, screen: int = 1, watch: Watch | None = None
) -> JobRow:
    """Carries keys and screen between two descriptors and the job until it has ended; its row.

    Terminals at the descriptors are as before afterwards, also after errors and signals.

    Raises:
        ViewerLeft: Before the job had ended.
        SsiError: The job is out of reach.
    """
    viewer = _Viewer(job, view, keys, screen, watch or Watch())

    def left(number: int) -> None:
        viewer.leave(ViewerLeft(signal=number))

    job.hasten(peek=view.read_only, after_s=HASTEN_S)
    try:
        with raw_terminal(keys), on_resize(viewer.resized.set), hearing(_SIGNALS, left):
            return await viewer.run()
    finally:
        job.dawdle()


class _Viewer:
    def __init__(self, job: JobHandle, view: View, keys: int, screen: int, watch: Watch) -> None:
        self.resized = asyncio.Event()
        self._job = job
        self._view = view
        self._watch = watch
        self._keys = keys
        self._screen = screen
        self._is_person = os.isatty(keys)
        self._modes = ScreenModes()
        self._typed = bytearray(watch.unsent)
        watch.unsent = b""
        self._answered = asyncio.Event()
        self._answered.set()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._left: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def leave(self, how: ViewerLeft) -> None:
        """Ends :meth:`run` with that."""
        if not self._left.done():
            self._left.set_exception(how)

    async def run(self) -> JobRow:
        """See :func:`view_job`."""
        if self._typed:
            self._note(bytes(self._typed))
        left: list[ViewerLeft] = []
        try:
            async with asyncio.TaskGroup() as tasks:
                others = [tasks.create_task(self._await_leave()), tasks.create_task(self._type())]
                if not self._view.read_only:
                    others.append(tasks.create_task(self._send()))
                    others.append(tasks.create_task(self._follow_size()))
                row = await self._see_to_end(tasks)
                with suppress(TimeoutError):
                    async with asyncio.timeout(ANSWER_S):
                        await self._answered.wait()
                for task in others:
                    task.cancel()
            return row
        except* ViewerLeft as group:
            left.extend(error for error in group.exceptions if isinstance(error, ViewerLeft))
        except* Exception as group:
            raise first_error(group) or group from group
        finally:
            if not self._left.done():
                self._left.cancel()
            if self._answered.is_set():  # else the job may have them: no key is given twice
                self._watch.unsent = bytes(self._typed)
            await self._put(self._modes.undo())
        await self._put(b"\r\n" if self._is_person else b"")
        raise left[0]

    async def _await_leave(self) -> None:
        await self._left

    async def _see_to_end(self, tasks: asyncio.TaskGroup) -> JobRow:
        """Shows all output; then the job's end, which was waited for from the beginning.

        Another viewer may have let go of the ended job by then.
        """
        ending = tasks.create_task(self._job.wait())
        with suppress(NoSuchProcess, NotAJob):
            await self._show()
        return await ending

    async def _show(self) -> None:
        offset = await self._show_past() if self._view.newcomer else self._watch.seen_bytes
        shown: asyncio.Task[None] | None = None
        while True:
            data = await self._job.read("stdout", offset, peek=self._view.read_only)
            if shown is not None:
                await shown
            if data.offset > offset > 0:  # we were away for so long that some of it is gone
                await self._job.resize(self._size(), repaint=True)
            offset = data.offset + len(data.data)
            self._watch.seen_bytes = offset
            self._modes.feed(data.data)
            shown = await self._begin_put(data.data)
            if data.ended:
                if shown is not None:
                    await shown
                return

    async def _show_past(self) -> int:
        """Shows what there is of the past, and lets the program paint anew; where it ends."""
        past = await self._job.read("stdout", 0, peek=self._view.read_only, wait_ms=0)
        text = shown_again(past.data, whole=past.offset == 0)
        self._modes.feed(text)
        await self._put(text)
        if not past.ended:
            await self._job.resize(self._size(), repaint=True)
        return past.offset + len(past.data)

    async def _begin_put(self, data: bytes) -> asyncio.Task[None] | None:
        """Shows little at once, and much while the next is fetched already, by a task.

        A key's echo is not to wait until the next question is on its way: 0.3 of 2.8 ms (measured).
        """
        if len(data) > select.PIPE_BUF:
            return asyncio.create_task(self._put(data))
        await self._put(data)
        return None

    async def _put(self, data: bytes) -> None:
        try:
            await put(self._screen, data)
        except OSError:  # the window was closed
            self.leave(ViewerLeft(signal=signal.SIGHUP))

    async def _type(self) -> None:
        """Takes keys; words to ourselves are heard whatever becomes of the job and its links."""
        escapes = Escapes(self._view.escape if self._is_person else b"")
        while True:
            keys = await read_some(self._keys)
            if not keys:
                if self._is_person:
                    self.leave(ViewerLeft(signal=signal.SIGHUP))
                elif not self._view.newcomer:
                    self._give(END_OF_INPUT)
                return
            for typed in escapes.feed(keys):
                if isinstance(typed, Word):
                    await self._obey(typed)
                elif self._view.read_only:
                    if _INTERRUPT in typed:
                        self.leave(ViewerLeft())
                else:
                    self._give(typed)
            await self._room.wait()

    async def _obey(self, word: Word) -> None:
        match word:
            case Word.LEAVE:
                self.leave(ViewerLeft())
            case Word.DISOWN:
                self.leave(ViewerLeft(disowned=not self._view.read_only))
            case Word.HELP:
                text = f"{help_text(self._view.escape)}\n{self._job.way}"
                text = text.replace("\n", "\r\n")
                await self._put(f"\r\n{text}\r\n".encode())

    def _give(self, keys: bytes) -> None:
        self._typed += keys
        self._note(keys)
        if len(self._typed) > MOST_TYPED_BYTES:
            self._room.clear()

    def _note(self, keys: bytes) -> None:
        if self._watch.typed is not None:
            self._watch.typed(keys)
        self._news.set()

    async def _send(self) -> None:
        """Gives the job what was typed, in its order, until it takes no more."""
        offset = 0
        if self._typed:
            await asyncio.sleep(AHEAD_S)
        while True:
            await self._news.wait()
            keys = bytes(self._typed[:READ_BYTES])
            self._answered.clear()
            try:
                accepted = await self._job.write(offset, keys, terminal=self._size())
            except (NoSuchProcess, NotAJob):  # it has ended
                self._answered.set()
                return
            del self._typed[: accepted.offset - offset]
            self._answered.set()
            if accepted.closed:
                return
            offset = accepted.offset
            if not self._typed:
                self._news.clear()
            if len(self._typed) <= MOST_TYPED_BYTES:
                self._room.set()

    async def _follow_size(self) -> None:
        while True:
            await self.resized.wait()
            self.resized.clear()
            try:
                await self._job.resize(self._size())
            except (NoSuchProcess, NotAJob):
                return

    def _size(self) -> Terminal:
        return Terminal(rows=0) if self._view.read_only else terminal_of((self._screen, self._keys))
