"""The lanes of a job: to those that read its output, and from the one that writes its input.

And the channels of its clients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from nodeagent.mechanism.aesgcm import CipherMissing
from nodeagent.mechanism.allocator import ALLOCATOR
from nodeagent.mechanism.loop import Loop
from nodeagent.shim import messages as m
from nodeagent.shim.channel import OUTPUT, Channel
from nodeagent.shim.job import Job
from nodeagent.shim.lane import ReaderLane, SourceLane
from nodeagent.shim.lanemessages import (
    AwaitLane,
    JoinLane,
    LaneOpened,
    LaneState,
    OpenChannel,
    OpenLane,
)
from nodeagent.shim.server import Answer
from nodeagent.shim.sink import MemorySink
from nodeagent.shim.stage import Stage
from nodeagent.shim.streams import Poll
from ssi.model.job import StreamName
from ssi.model.shim import ShimFailed, WrongStage

MOST_CHANNELS: Final = 16
"""Of one job; further clients go on by requests."""


class Lanes:
    """At most one for each stream; whoever asks for bytes by a request ends it.

    Args:
        loop: That watches them.
        job: Whose they are.
        poll: Answers later.
        attend: Is told of a client for whom a channel was opened.
    """

    def __init__(self, loop: Loop, job: Job, poll: Poll, attend: Callable[[Channel], None]) -> None:
        self._loop = loop
        self._job = job
        self._poll = poll
        self._attend = attend
        self._channels: list[Channel] = []
        self._to_readers: dict[StreamName, SourceLane] = {}
        self._from_source: ReaderLane | None = None
        loop.after_events(self._go_on)

    def open(self, request: OpenLane, answer: Answer) -> None:
        """Answers with :class:`~nodeagent.shim.lanemessages.LaneOpened`.

        Raises:
            WrongStage: There is no such stream that is held in memory.
            ShimFailed: This machine cannot seal, or has no port.
        """
        job = self._job
        outlet = job.stdio.outlets.get(request.stream)
        if outlet is None or not isinstance(outlet.sink, MemorySink) or outlet.refused:
            raise WrongStage(request="open-lane", stage=job.stage)
        self.close(request.stream)
        try:
            lane = SourceLane(self._loop, outlet, request.key, lambda: not job.problem)
        except (CipherMissing, OSError) as exc:
            raise ShimFailed(reason=f"no lane can be opened: {exc}") from exc
        ALLOCATOR.keep()
        job.stdio.widen(request.stream)
        self._to_readers[request.stream] = lane
        answer.give(LaneOpened(port=lane.port))

    def join(self, request: JoinLane, answer: Answer) -> None:
        """Answers once it tries to connect.

        Raises:
            WrongStage: There is no job that takes input now.
            ShimFailed: This machine cannot seal, or has no way to that address.
        """
        job = self._job
        inlet = job.stdio.inlet
        if job.stage is not Stage.RUNNING or inlet is None or not inlet.takes:
            raise WrongStage(request="join-lane", stage=job.stage)
        self.close("stdin")
        try:
            self._from_source = ReaderLane(
                self._loop, inlet, request.writer, request.address, request.port, request.key
            )
        except (CipherMissing, OSError) as exc:
            raise ShimFailed(reason=f"no lane can be joined: {exc}") from exc
        ALLOCATOR.keep()
        job.stdio.widen("stdin")
        answer.give(m.Ok())

    def open_channel(self, request: OpenChannel, answer: Answer) -> None:
        """Answers with :class:`~nodeagent.shim.lanemessages.LaneOpened`.

        Raises:
            WrongStage: There is no job that runs.
            ShimFailed: This machine cannot seal, or has no port, or there are too many.
        """
        job = self._job
        if job.stage is not Stage.RUNNING or OUTPUT not in job.stdio.outlets:
            raise WrongStage(request="open-channel", stage=job.stage)
        if len(self._channels) >= MOST_CHANNELS:
            raise ShimFailed(reason=f"no channel can be opened: there are {MOST_CHANNELS}")
        try:
            made = Channel(self._loop, job, request.writer, request.key, peek=request.peek)
        except (CipherMissing, OSError) as exc:
            raise ShimFailed(reason=f"no channel can be opened: {exc}") from exc
        self._channels.append(made)
        self._attend(made)
        answer.give(LaneOpened(port=made.port))

    def await_over(self, request: AwaitLane, answer: Answer) -> None:
        """Answers with :class:`~nodeagent.shim.lanemessages.LaneState`."""

        def attempt(expired: bool) -> LaneState | None:
            over = self._from_source is None or self._from_source.is_over
            return LaneState(over=over) if over or expired else None

        self._poll(answer, request.wait_ms, attempt)

    def close(self, stream: StreamName) -> None:
        """Ends the lane of a stream, if there is one."""
        if stream == "stdin":
            lane: SourceLane | ReaderLane | None = self._from_source
            self._from_source = None
        else:
            lane = self._to_readers.pop(stream, None)
        if lane is not None:
            lane.close()
            if not self._to_readers and self._from_source is None:
                ALLOCATOR.give_back()

    def _go_on(self) -> None:
        """After each batch of events: bytes may have come, or room."""
        for channel in self._channels:
            channel.go_on()
        if any(channel.is_over for channel in self._channels):
            self._channels = [channel for channel in self._channels if not channel.is_over]
            self._job.renew()  # his lease begins where a client leaves
        stdio = self._job.stdio
        for name, lane in list(self._to_readers.items()):
            if lane.is_over or stdio.outlets.get(name) is not lane.outlet or lane.outlet.refused:
                self.close(name)
            else:
                lane.go_on()
        lane_in = self._from_source
        if lane_in is not None:
            if lane_in.is_over or stdio.inlet is not lane_in.inlet or self._has_ended:
                self.close("stdin")
            else:
                lane_in.go_on()

    @property
    def _has_ended(self) -> bool:
        return self._job.stage is not Stage.RUNNING
