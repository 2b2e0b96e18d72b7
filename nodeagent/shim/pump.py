"""Moves bytes between a job's pipes (or terminal) and the streams that the shim holds.

Both ends watch their descriptor only while there is something to do, so that a stream without a
reader, or a job that does not read, costs nothing.
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import os
import termios
from typing import Final

from nodeagent.mechanism.loop import Loop
from nodeagent.shim.sink import Sink
from nodeagent.shim.stream import Stream
from nodeagent.shim.writers import Writers

_CHUNK_BYTES: Final = 256 * 1024


class Inlet:
    """Writes the bytes of a stream to the job.

    Attributes:
        stream: What the job has not been given yet.
        writers: Who gave it, and how much.
        closed: The job reads no more.
    """

    def __init__(self, loop: Loop, descriptor: int, stream: Stream, *, terminal: bool) -> None:
        """Starts paused. It owns ``descriptor`` from now on, the write end of a pipe or a pty."""
        self.stream = stream
        self.writers = Writers()
        self.closed = False
        self._loop = loop
        self._descriptor: int | None = descriptor
        self._paused = True
        self._terminal = terminal
        # Neither reads nor writes, so it holds the pipe open for nobody, but leads to it: what
        # is in the pipe can be taken back whoever else has closed his end.
        self._pipe = None if terminal else os.open(f"/proc/self/fd/{descriptor}", os.O_PATH)
        # With neither end open what is in a pipe is gone; held once there is no end to write to.
        self._reader: int | None = None
        self._unwanted = 0

    @property
    def takes(self) -> bool:
        """Whether it would take bytes now if there is room."""
        return not (self._paused or self.closed)

    def take(self, writer: bytes, offset: int, data: bytes | memoryview, *, end: bool) -> int:
        """Takes what there is room for, nothing while paused; the writer's next number."""
        if not self._paused and not self.stream.ended:
            view = memoryview(data)
            fresh = self.writers.fresh(writer, offset, view, self.stream.room)
            if not self.stream.held:
                fresh = self._write_through(fresh)
            self.stream.append(fresh)
            if end and self.writers.taken(writer, offset) >= offset + len(data):
                self.stream.finish()
            self.flush()
        return self.writers.taken(writer, offset)

    def resume(self) -> None:
        """Moves bytes from now on."""
        self._paused = False
        self.flush()

    def pause(self) -> None:
        """Moves none, takes none."""
        self._paused = True
        if self._descriptor is not None:
            self._loop.watch(self._descriptor)

    def flush(self) -> None:
        """Writes what the job takes now."""
        if self._paused or self.closed:
            return
        if self._descriptor is None and self.stream.held:
            # It was at its end, and then bytes were taken back.
            self._descriptor = os.open(f"/proc/self/fd/{self._pipe}", os.O_WRONLY | os.O_NONBLOCK)
            self._close_reader()
        while self._descriptor is not None and self.stream.held:
            _, data = self.stream.peek(self.stream.start, _CHUNK_BYTES)
            try:
                written = os.write(self._descriptor, data)
            except BlockingIOError:
                break
            except OSError:  # EPIPE, or EIO of a terminal: nobody will read
                self.closed = True
                self._unwanted += self.stream.held
                self.stream.forget(self.stream.end)
                self._end()
                return
            self.stream.forget(self.stream.start + written)
        self._settle()

    def consumed(self) -> int | None:
        """The number of the first byte that nobody has read from its pipe; None of a terminal.

        Raises:
            OSError: That cannot be known.
        """
        if self._pipe is None:
            return None
        waiting = array.array("i", [0])
        held = self._reader if self._descriptor is None else self._descriptor
        if held is None:
            raise OSError(errno.EBADF, "neither end of its pipe is open")
        fcntl.ioctl(held, termios.FIONREAD, waiting)
        return self.stream.start - self._unwanted - waiting[0]

    def widen(self, size_bytes: int) -> int:
        """The pipe holds so much from now on, where it may; what it holds then, 0 for none."""
        return _widen(self._descriptor, size_bytes)

    def take_back(self) -> None:
        """Bytes that the job has not read from its pipe are in the stream again; when paused."""
        assert self._paused
        if self.closed or self._pipe is None:
            return
        reader = os.open(f"/proc/self/fd/{self._pipe}", os.O_RDONLY | os.O_NONBLOCK)
        try:
            unread = bytearray()
            while chunk := _read_now(reader):
                unread += chunk
            self.stream.put_back(bytes(unread))
        finally:
            os.close(reader)

    def close(self) -> None:
        """Lets go of the pipe; the stream stays as it is."""
        self._let_go()
        self._close_reader()
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def _write_through(self, data: memoryview) -> memoryview:
        """Writes what the job takes now, without holding it; what is left."""
        while self._descriptor is not None and data and not self.closed:
            try:
                written = os.write(self._descriptor, data)
            except BlockingIOError:
                break
            except OSError:  # flush() meets it, too, and does what is to be done
                break
            self.stream.pass_by(written)
            data = data[written:]
        return data

    def _settle(self) -> None:
        if self._descriptor is None:
            return
        if self.stream.ended and not self.stream.held and not self._terminal:
            self._end()
        else:
            self._loop.watch(self._descriptor, writable=self.flush if self.stream.held else None)

    def _end(self) -> None:
        """Nothing more is written to the pipe."""
        if self._pipe is not None and self._reader is None:
            with contextlib.suppress(OSError):
                reader = os.open(f"/proc/self/fd/{self._pipe}", os.O_RDONLY | os.O_NONBLOCK)
                self._reader = reader
        self._let_go()

    def _let_go(self) -> None:
        if self._descriptor is not None:
            self._loop.watch(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _close_reader(self) -> None:
        if self._reader is not None:
            os.close(self._reader)
            self._reader = None


class Outlet:
    """Reads what the job writes into a sink.

    Attributes:
        refused: Nobody reads it; see :meth:`hang_up`.
    """

    def __init__(self, loop: Loop, descriptor: int, sink: Sink) -> None:
        """Starts paused."""
        self.sink = sink
        self.refused = False
        self._loop = loop
        self._descriptor: int | None = descriptor
        self._paused = True

    def resume(self) -> None:
        """Moves bytes from now on."""
        self._paused = False
        self.settle()

    def pause(self) -> None:
        """Moves none."""
        self._paused = True
        if self._descriptor is not None:
            self._loop.watch(self._descriptor)

    def settle(self) -> None:
        """Watches the pipe if, and only if, the sink has room."""
        if self._descriptor is not None and not self._paused:
            self._loop.watch(self._descriptor, readable=self._pump if self.sink.room else None)

    def widen(self, size_bytes: int) -> int:
        """The pipe holds so much from now on, where it may; what it holds then, 0 for none."""
        return _widen(self._descriptor, size_bytes)

    def drain(self) -> None:
        """Takes all that is in the pipe now, whatever room there is: it must not be lost.

        The end of the stream is not noticed here: a job that was killed after its dump closed
        its pipes, and lives on elsewhere.
        """
        while self._descriptor is not None and (data := _read_now(self._descriptor)):
            self.sink.take(data)

    def catch_up(self) -> None:
        """Takes what is there now, and its end, as far as the sink has room."""
        for _ in range(2):  # all that a pipe holds, and then its end
            if self._descriptor is not None and not self._paused:
                self._pump()

    def close(self) -> None:
        """Lets go of the pipe; the sink stays as it is."""
        if self._descriptor is not None:
            self._loop.watch(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def hang_up(self) -> None:
        """Nobody reads any more: who writes is told by SIGPIPE, what was written is dropped."""
        self.refused = self._descriptor is not None
        self.close()
        self.sink.read(self.sink.end, 0, peek=False)
        if not self.sink.ended:
            self.sink.finish()

    def finish(self) -> None:
        """Nobody is left who could write: takes the rest and ends the stream."""
        self.drain()
        self.close()
        if not self.sink.ended:
            self.sink.finish()

    def _pump(self) -> None:
        assert self._descriptor is not None
        room = min(self.sink.room, _CHUNK_BYTES)
        if not room:  # it has just become less; to read nothing would look like the end
            self.settle()
            return
        try:
            data = os.read(self._descriptor, room)
        except BlockingIOError:
            return
        except OSError:  # EIO: the last process closed the terminal
            data = b""
        if data:
            self.sink.take(data)
            self.settle()
        else:
            self.close()
            self.sink.finish()


def _widen(descriptor: int | None, size_bytes: int) -> int:
    if descriptor is None:
        return 0
    try:
        return fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, size_bytes)
    except OSError:  # its user has too many such pipes
        return 0


def _read_now(descriptor: int) -> bytes:
    """What is there now, up to a chunk; empty where there is nothing, or never will be."""
    try:
        return os.read(descriptor, _CHUNK_BYTES)
    except OSError:  # EAGAIN; EIO of a terminal
        return b""
