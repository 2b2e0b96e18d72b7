"""The shim's end of a channel: see :mod:`ssi.protocol.channel`.

A person waits for the echo of a key, so what the job writes goes first, and says by the way that
the key was taken.
"""

from __future__ import annotations

from typing import Final

from nodeagent.mechanism.aesgcm import Sealer
from nodeagent.mechanism.loop import Loop, Timer
from nodeagent.shim.job import Job
from nodeagent.shim.onepeer import OnePeer
from nodeagent.shim.stage import Stage
from nodeagent.shim.streams import ECHO_S
from ssi.model.job import StreamName, Terminal
from ssi.protocol.channel import (
    CLIENT_TO_SHIM,
    MOST_INPUT_BYTES,
    SHIM_TO_CLIENT,
    ToClient,
    ToShim,
    pack_to_client,
    unpack_to_shim,
)

OUTPUT: Final[StreamName] = "stdout"
"""What a channel carries of a job's output; all of it where the job has a terminal."""

_MOST_OUTPUT_BYTES: Final = 128 * 1024
"""In one frame."""


class Channel:
    """One client of a job. Listens for him, on a port of its own.

    Args:
        loop: That watches it.
        job: Whose streams it carries.
        writer: As which the client's input is numbered.
        key: Of this channel alone.
        peek: The client only looks.

    Raises:
        CipherMissing: This machine cannot seal.
        OSError: No port is free.
    """

    def __init__(self, loop: Loop, job: Job, writer: bytes, key: bytes, *, peek: bool) -> None:
        self.peek = peek
        self._loop = loop
        self._job = job
        self._writer = writer
        self._outlet = job.stdio.outlets[OUTPUT]
        self._sent = -1
        self._input: ToShim | None = None
        self._taken = 0
        self._told = 0
        self._telling: Timer | None = None
        self._client = OnePeer(
            loop,
            Sealer(key, SHIM_TO_CLIENT),
            Sealer(key, CLIENT_TO_SHIM),
            on_frame=self._on_frame,
            on_room=self.go_on,
            on_gone=self.close,
        )
        self.port = self._client.port

    @property
    def wanted(self) -> bool:
        """Whether a client is there."""
        return self._client.is_there

    @property
    def is_over(self) -> bool:
        """Whether it carries nothing any more."""
        return self._client.is_over

    def close(self) -> None:
        """Ends it; the client goes on by requests. Harmless twice."""
        if self._telling is not None:
            self._telling.cancel()
        self._client.close()

    def go_on(self) -> None:
        """Gives and takes what there is; called after each batch of events."""
        if self._sent < 0 or not self.wanted:
            return
        if not self._is_usable:
            self.close()
            return
        self._give_input()
        self._send_output()

    @property
    def _is_usable(self) -> bool:
        """Not while the job is being moved: by its requests a client learns where it went."""
        job, outlet = self._job, self._outlet
        return (
            job.stage is Stage.RUNNING
            and not job.doing
            and job.stdio.outlets.get(OUTPUT) is outlet
            and not outlet.refused
        )

    def _on_frame(self, data: memoryview) -> None:
        said = unpack_to_shim(data)
        if said is None or self._input is not None or len(said.data) > MOST_INPUT_BYTES:
            self.close()  # no client of ours
            return
        sink = self._outlet.sink
        if self._sent < 0:
            if not self._is_usable or sink.read(said.wanted, 0, peek=True)[0] != said.wanted:
                self.close()  # by a request he is told what there is
                return
            self._client.greeted()
            self._sent = said.wanted
        if not self.peek:
            sink.read(min(said.wanted, self._sent), 0, peek=False)
            self._outlet.settle()
            if said.rows:
                self._job.resize(Terminal(rows=said.rows, columns=said.columns))
            if said.data:
                self._input = said
        self.go_on()

    def _give_input(self) -> None:
        said = self._input
        if said is None:
            return
        inlet = self._job.stdio.keys or self._job.stdio.inlet
        if inlet is None or not inlet.takes or inlet.stream.ended:
            self.close()
            return
        self._taken = inlet.take(self._writer, said.offset, said.data, end=False)
        if self._taken > said.offset:  # else it has no room, and will be given it again
            self._input = None
            self._tell_later()

    def _tell_later(self) -> None:
        if self._telling is None or not self._telling.pending:
            self._telling = self._loop.call_after(ECHO_S, self._tell)

    def _tell(self) -> None:
        """Says that input was taken, where no output said it."""
        if not self.wanted or self._told == self._taken:
            return
        if self._client.may_send:
            self._send(b"")
        else:
            self._tell_later()

    def _send_output(self) -> None:
        sink = self._outlet.sink
        while self._client.may_send:
            offset, data = sink.read(self._sent, _MOST_OUTPUT_BYTES, peek=True)
            if offset != self._sent or (not data and sink.ended):
                self.close()
                return
            if not data:
                return
            self._send(data)

    def _send(self, data: bytes) -> None:
        assert self._client.peer is not None
        frame = pack_to_client(ToClient(taken=self._taken, offset=self._sent, data=data))
        self._sent += len(data)
        self._told = self._taken
        self._client.peer.send(frame, 0, len(frame))
