"""The terminal of the last stage of a pipeline over nodes: its screen is ours, and so are its keys.

The stage reads a pipe, and people by /dev/tty: ``@n1 cat notes | @n2 less``. Our terminal is as its
program has made its own: lines as long as nothing takes keys one by one, which are then for the
first stage, as is usual; else raw, with ^C and the like as signals where they are signals there.
"""

from __future__ import annotations

import asyncio
import os
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from shell.session.foreground import SUSPEND, look
from ssi.client.attachment import put
from ssi.client.jobs import JobHandle
from ssi.client.screenmodes import ScreenModes
from ssi.client.system import System
from ssi.client.terminal import on_resize, terminal_of
from ssi.client.viewer import Watch
from ssi.model.errors import SsiError
from ssi.model.job import JobState
from ssi.protocol.jobs import StreamData
from ssi.protocol.refusals import NoSuchProcess, NotAJob

LOOK_MS: Final = 1000
"""The longest until a change of the terminal is seen where its program writes nothing, on a node of
an older version; others look by themselves and tell."""

SETTLE_S: Final = 2.0
"""What a program that is stopped may take to leave the screen as it was."""

PAUSE_S: Final = 0.03


class StageScreen:
    """See the module. All of it is used within :meth:`lent`.

    Attributes:
        suspended: Set when ^Z was given to the program as a key.
    """

    def __init__(self, stage: JobHandle, watch: Watch) -> None:
        self.suspended = asyncio.Event()
        self._stage = stage
        self._watch = watch
        self._modes = ScreenModes()
        self._before = termios.tcgetattr(0)
        self._is_raw = False
        self._signal_keys = True
        self._takes_all = False
        self._typed = 0
        self._shown = asyncio.Event()
        self._held = b""

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Our terminal is as before at the end."""
        try:
            yield
        finally:
            with suppress(OSError):  # the window was closed
                os.write(1, self._modes.undo())
            with suppress(termios.error):
                termios.tcsetattr(0, termios.TCSADRAIN, self._before)

    @property
    def takes_keys(self) -> bool:
        """Whether keys are for its program, and not lines for the first stage."""
        return self._is_raw or self._takes_all

    def take_keys(self) -> None:
        """The first stage wants none: all are for this one from now on."""
        self._takes_all = True
        self._follow_modes()

    async def show(self) -> None:
        """Shows what the stage shows, until its end."""
        wait_ms = 0
        with suppress(NoSuchProcess, NotAJob):
            while not (await self._show_some(wait_ms)).ended:
                wait_ms = LOOK_MS

    async def type(self, keys: bytes) -> None:
        """Gives its program keys."""
        if SUSPEND in keys:
            self.suspended.set()
        with suppress(NoSuchProcess, NotAJob):
            while keys:
                accepted = await self._stage.write(self._typed, keys, terminal=terminal_of())
                if accepted.closed:
                    return
                keys = keys[accepted.offset - self._typed :]
                self._typed = accepted.offset

    async def follow_size(self) -> None:
        """Its terminal has the size of ours."""
        resized = asyncio.Event()
        resized.set()
        with on_resize(resized.set), suppress(NoSuchProcess, NotAJob):
            while True:
                await resized.wait()
                resized.clear()
                await self._stage.resize(terminal_of())

    async def settle(self, system: System) -> None:
        """Shows how a program that is being stopped leaves the screen."""
        with suppress(SsiError, TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                while True:
                    row = await look(system, self._stage)
                    if row is None or row.state is JobState.STOPPED:
                        break
                    await asyncio.sleep(PAUSE_S)
                while await self._has_more():
                    self._shown.clear()
                    await self._shown.wait()

    def beside(self, data: bytes) -> bytes:
        """What another stage writes to our terminal, as that needs it now."""
        return data.replace(b"\n", b"\r\n") if self.takes_keys else data

    async def _has_more(self) -> bool:
        got = await self._stage.read("stdout", self._watch.seen_bytes, peek=True, wait_ms=0)
        return bool(got.data)

    async def _show_some(self, wait_ms: int) -> StreamData:
        known = (self._is_raw, self._signal_keys)
        got = await self._stage.read("stdout", self._watch.seen_bytes, wait_ms=wait_ms, modes=known)
        self._watch.seen_bytes = got.offset + len(got.data)
        self._modes.feed(got.data)
        if (got.is_raw, got.signal_keys) != known and not got.ended:
            self._is_raw, self._signal_keys = got.is_raw, got.signal_keys
            self._follow_modes()
        data = self._held + got.data
        self._held = b""
        if not self.takes_keys:  # our terminal makes CR LF of LF by itself
            if data.endswith(b"\r") and not got.ended:
                data, self._held = data[:-1], b"\r"
            data = data.replace(b"\r\n", b"\n")
        with suppress(OSError):  # the window was closed; SIGHUP comes to us, too
            await put(1, data)
        self._shown.set()
        return got

    def _follow_modes(self) -> None:
        """Makes our terminal as that of the stage is now."""
        with suppress(termios.error):  # the window was closed
            wanted = self._before
            if self.takes_keys:
                tty.setraw(0, termios.TCSADRAIN)  # what was typed ahead is kept
                wanted = termios.tcgetattr(0)
                wanted[tty.LFLAG] |= termios.ISIG if self._signal_keys else 0
            termios.tcsetattr(0, termios.TCSADRAIN, wanted)
