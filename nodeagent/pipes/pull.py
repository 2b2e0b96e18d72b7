"""What is done next for one pipe, on the node of the job that reads. Pure.

Bytes are numbered by the job that writes. The reader's shim knows up to which number it has taken
them, so whatever is fetched or given twice does no harm, and an agent that begins anew asks the
shim where to go on. There are two lanes, towards the source and towards the reader, with one
instruction each under way at most; the first is ahead of the second by at most
:data:`WINDOW_BYTES`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, assert_never

from nodeagent.pipes.event import (
    Arrived,
    Broken,
    Event,
    Lane,
    LaneOver,
    ReaderEnded,
    ReaderSilent,
    SourceLost,
    SourceMoved,
    SourceSilent,
    SourceSought,
    SourceUnknown,
    Taken,
    Told,
    Woke,
)
from nodeagent.pipes.instruction import (
    Break,
    Fetch,
    Give,
    Instruction,
    Pause,
    Probe,
    Seek,
    Settle,
    Tell,
    UseLane,
)

CHUNK_BYTES: Final = 512 * 1024
"""Fetched at once: half of what a shim holds of a stream, so that the job writes meanwhile."""

WINDOW_BYTES: Final = 1024 * 1024
"""Fetched and not yet taken by the reader's shim, beyond which nothing is fetched."""

FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 1.0
"""Between tries while the other side is silent."""

LANE_AFTER_BYTES: Final = 4 * 1024 * 1024
"""That came by fetches, before a lane is worth its set-up."""

VAIN_LANE_FACTOR: Final = 8
"""So many times as many after each lane that carried none: where a firewall drops what it does not
know, each try holds the pipe up for two seconds."""

ROUNDS_UNTIL_GONE: Final = 2
"""A job that moves may be missed by one round of questions to all nodes, not by two in a row."""


class Pull:
    """One pipe. Begins with :meth:`begin`; each instruction but the last is answered by one event.

    Attributes:
        node: Where the job that writes was found last.
    """

    def __init__(self, node: str) -> None:
        self.node = node
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self._taken: int | None = None
        self._source_ended = False
        self._vain_fetch = False
        self._is_sought = False
        self._vain_rounds = 0
        self._broken = ""
        self._is_told = False
        self._is_settled = False
        self._wants_no_more = False
        self._fetched_since = 0
        self._lane_after = LANE_AFTER_BYTES
        self._lane_began: int | None = None
        self._gap_at: int | None = None
        self._busy: set[Lane] = set()
        self._pause_s: dict[Lane, float] = {}

    @property
    def held_bytes(self) -> int:
        """Fetched, and not yet taken by the reader's shim."""
        return self._held

    def begin(self) -> list[Instruction]:
        """What is done first."""
        return self._next()

    def handle(self, event: Event) -> list[Instruction]:
        """What is to be done after ``event``."""
        match event:
            case Taken() | ReaderSilent() | Broken() | ReaderEnded():
                pause = self._hear_reader(event)
            case Woke():
                pause = None
                self._busy.discard(event.lane)
            case _:
                pause = self._hear_source(event)
        return [*([pause] if pause is not None else []), *self._next()]

    def _hear_reader(self, event: Taken | ReaderSilent | Broken | ReaderEnded) -> Pause | None:
        match event:
            case Taken():
                self._busy.discard("reader")
                self._pause_s.pop("reader", None)
                if not self._wants_no_more:
                    self._forget(event.offset)
                if event.closed or event.ended:
                    self._want_no_more()
            case ReaderSilent():
                return self._rest("reader")
            case Broken():
                self._busy.discard("reader")
                self._broken = ""
            case ReaderEnded():
                self._busy.add("reader")  # for ever: nothing is given to it
                self._broken = ""
                self._want_no_more()
        return None

    def _hear_source(
        self,
        event: Arrived
        | SourceSilent
        | SourceMoved
        | SourceUnknown
        | SourceSought
        | SourceLost
        | LaneOver
        | Told,
    ) -> Pause | None:
        if isinstance(event, SourceSilent):
            return self._rest("source")
        self._busy.discard("source")
        match event:
            case Arrived():
                self._pause_s.pop("source", None)
                self._vain_rounds = 0
                self._arrive(event)
            case SourceMoved():
                again, self.node, self._is_sought = event.node == self.node, event.node, False
                # Nodes that point at each other are asked at leisure.
                return self._rest("source") if again else None
            case SourceUnknown():
                self._is_sought = True
            case SourceSought():
                return self._hear_of_vain_search(certain=event.certain)
            case SourceLost():
                self._break(event.reason)
            case LaneOver():
                self._probe_again()
            case Told():
                self._is_told = True
            case _:
                assert_never(event)
        return None

    def _arrive(self, event: Arrived) -> None:
        assert self._taken is not None
        expected = self._taken + self._held
        if event.offset != expected:
            self._find_gap(expected, event.offset)
            return
        self._gap_at = None
        self._fetched_since += len(event.data)
        if event.data:
            self._chunks.append(event.data)
            self._held += len(event.data)
        self._vain_fetch = not event.data and self._held > 0
        self._source_ended = event.ended

    def _find_gap(self, expected: int, offset: int) -> None:
        """Another lane or agent may have given the reader more meanwhile; else bytes are gone."""
        if self._gap_at == self._taken:
            self._break(f"its bytes from {expected} on are gone, there are those from {offset}")
        else:
            self._gap_at = self._taken
            self._probe_again()

    def _probe_again(self) -> None:
        """What was thought to be known of the reader's shim may be old."""
        self._taken, self._held = None, 0
        self._chunks.clear()
        self._vain_fetch = self._source_ended = False

    def _forget(self, offset: int) -> None:
        """The shim has all below ``offset``."""
        if self._taken is None:
            self._taken = offset
            self._judge_lane(offset)
        if offset > self._taken:
            self._vain_fetch = False
        while self._taken < offset:
            first = self._chunks.popleft()
            gone = min(len(first), offset - self._taken)
            if gone < len(first):
                self._chunks.appendleft(first[gone:])
            self._taken += gone
            self._held -= gone

    def _judge_lane(self, offset: int) -> None:
        """A lane is over, and the reader is at ``offset``: was it worth its while?"""
        if self._lane_began is not None:
            was_vain = offset == self._lane_began
            vain_after = VAIN_LANE_FACTOR * self._lane_after
            self._lane_after = vain_after if was_vain else LANE_AFTER_BYTES
            self._lane_began = None

    def _hear_of_vain_search(self, *, certain: bool) -> Pause | None:
        self._vain_rounds = self._vain_rounds + 1 if certain else 0
        if self._vain_rounds < ROUNDS_UNTIL_GONE:
            return self._rest("source")
        if self._wants_no_more:
            self._is_told = True
        else:
            self._break("no node has the job that writes any more")
        return None

    def _rest(self, lane: Lane) -> Pause:
        self._busy.add(lane)
        pause_s = self._pause_s.get(lane, FIRST_PAUSE_S)
        self._pause_s[lane] = min(2 * pause_s, LONGEST_PAUSE_S)
        return Pause(lane, pause_s)

    def _break(self, reason: str) -> None:
        self._broken = reason
        self._want_no_more()

    def _want_no_more(self) -> None:
        if not self._wants_no_more:
            self._wants_no_more = True
            self._busy.discard("source")
            self._chunks.clear()
            self._held = 0

    def _next(self) -> list[Instruction]:
        if self._is_settled:
            return []
        if self._is_told and not self._broken:
            self._is_settled = True
            return [Settle()]
        instructions: list[Instruction] = []
        choices: tuple[tuple[Lane, Callable[[], Instruction | None]], ...] = (
            ("reader", self._next_of_reader),
            ("source", self._next_of_source),
        )
        for lane, choose in choices:
            instruction = None if lane in self._busy else choose()
            if instruction is not None:
                self._busy.add(lane)
                instructions.append(instruction)
        return instructions

    def _next_of_reader(self) -> Instruction | None:
        if self._broken:
            return Break(self._broken)
        if self._wants_no_more:
            return None
        if self._taken is None:
            return Probe()
        if not self._chunks and not self._source_ended:
            return None
        data = self._chunks[0] if self._chunks else b""
        return Give(
            offset=self._taken, data=data, end=self._source_ended and len(self._chunks) <= 1
        )

    def _next_of_source(self) -> Instruction | None:
        if self._is_told:
            return None
        if self._is_sought:
            return Seek()
        if self._wants_no_more:
            return Tell(self.node)
        if self._taken is None or self._source_ended or self._held >= WINDOW_BYTES:
            return None
        if self._fetched_since >= self._lane_after:
            if self._held:
                return None
            self._fetched_since, self._lane_began = 0, self._taken
            return UseLane(node=self.node)
        if self._vain_fetch:  # more can only come once the shim of the source may forget some
            return None
        offset = self._taken + self._held
        return Fetch(node=self.node, offset=offset, taken=self._taken, waits=self._held == 0)
