"""What is done next for a pipe: each case by itself, and then all faults at once by a seed."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from random import Random

import pytest

from nodeagent.pipes import pull
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
from nodeagent.pipes.pull import Pull
from nodeagent.shim.stream import Stream
from nodeagent.shim.writers import Writers


def flowing(offset: int = 0) -> Pull:
    """A pipe whose reader has so much, with a fetch under way."""
    made = Pull("n1")
    assert made.begin() == [Probe()]
    assert made.handle(Taken(offset=offset)) == [
        Fetch(node="n1", offset=offset, taken=offset, waits=True)
    ]
    return made


def test_an_agent_that_begins_anew_goes_on_where_the_shim_is() -> None:
    flowing(offset=4711)


def test_next_bytes_are_fetched_while_the_last_are_given() -> None:
    made = flowing()
    assert made.handle(Arrived(offset=0, data=b"abc")) == [
        Give(offset=0, data=b"abc", end=False),
        Fetch(node="n1", offset=3, taken=0, waits=False),
    ]


def test_a_full_source_is_asked_again_once_it_may_forget_some() -> None:
    made = flowing()
    made.handle(Arrived(offset=0, data=b"abc"))
    assert made.handle(Arrived(offset=3, data=b"")) == []
    assert made.handle(Taken(offset=1)) == [
        Give(offset=1, data=b"bc", end=False),
        Fetch(node="n1", offset=3, taken=1, waits=False),
    ]


def test_a_reader_that_takes_nothing_stops_the_fetching() -> None:
    made = flowing()
    data = b"x" * pull.CHUNK_BYTES
    instructions: Sequence[Instruction] = made.handle(Arrived(offset=0, data=data))
    while fetch := next((each for each in instructions if isinstance(each, Fetch)), None):
        instructions = made.handle(Arrived(offset=fetch.offset, data=data))
    assert made.held_bytes <= pull.WINDOW_BYTES


def test_end_of_source_is_given_with_its_last_bytes_and_told_back_once_it_is_taken() -> None:
    made = flowing()
    assert made.handle(Arrived(offset=0, data=b"end", ended=True)) == [
        Give(offset=0, data=b"end", end=True)
    ]
    assert made.handle(Taken(offset=3)) == [Give(offset=3, data=b"", end=True)]
    assert made.handle(Taken(offset=3, ended=True)) == [Tell("n1")]
    assert made.handle(Told()) == [Settle()]
    assert made.handle(Told()) == []


def test_end_of_reader_is_told_at_once_although_a_fetch_waits() -> None:
    made = flowing()
    assert made.handle(ReaderEnded()) == [Tell("n1")]
    assert made.handle(SourceSilent()) == [Pause("source", pull.FIRST_PAUSE_S)]
    assert made.handle(Woke("source")) == [Tell("n1")]
    assert made.handle(SourceMoved("n3")) == [Tell("n3")]
    assert made.handle(Told()) == [Settle()]


def test_reader_that_closed_its_input_is_given_nothing_more() -> None:
    made = flowing()
    made.handle(Arrived(offset=0, data=b"abc"))
    assert made.handle(Taken(offset=0, closed=True)) == [Tell("n1")]


def test_silent_source_is_asked_ever_more_rarely_and_never_taken_for_its_end() -> None:
    made = flowing()
    pauses = []
    for _ in range(10):
        (pause,) = made.handle(SourceSilent())
        assert isinstance(pause, Pause)
        pauses.append(pause.pause_s)
        (again,) = made.handle(Woke("source"))
        assert isinstance(again, Fetch)
    assert pauses == sorted(pauses)
    assert pauses[-1] == pull.LONGEST_PAUSE_S


def test_source_that_moved_is_followed_and_two_nodes_that_point_at_each_other_are_given_time() -> (
    None
):
    made = flowing()
    assert made.handle(SourceMoved("n2")) == [Fetch(node="n2", offset=0, taken=0, waits=True)]
    assert made.handle(SourceMoved("n2")) == [Pause("source", pull.FIRST_PAUSE_S)]


def test_source_that_nobody_has_is_lost_after_two_rounds_in_which_all_answered() -> None:
    made = flowing()
    assert made.handle(SourceUnknown()) == [Seek()]
    for certain in (True, False, True):
        (pause,) = made.handle(SourceSought(certain=certain))
        assert isinstance(pause, Pause)
        assert made.handle(Woke("source")) == [Seek()]
    broken, tell = made.handle(SourceSought(certain=True))
    assert isinstance(broken, Break) and tell == Seek()


def test_source_that_is_found_elsewhere_goes_on_from_there() -> None:
    made = flowing()
    made.handle(SourceUnknown())
    assert made.handle(SourceMoved("n3")) == [Fetch(node="n3", offset=0, taken=0, waits=True)]


@pytest.mark.parametrize("offset", [2, 4])
def test_a_gap_in_the_numbers_breaks_the_pipe(offset: int) -> None:
    made = flowing(offset=3)
    # The reader may have got more by another way meanwhile: its shim is asked first.
    assert made.handle(Arrived(offset=offset, data=b"later")) == [Probe()]
    (again,) = made.handle(Taken(offset=3))
    assert isinstance(again, Fetch)
    broken, tell = made.handle(Arrived(offset=offset, data=b"later"))
    assert isinstance(broken, Break) and tell == Tell("n1")
    assert made.handle(Told()) == []
    assert made.handle(Broken()) == [Settle()]


def test_lost_bytes_are_no_end_of_input() -> None:
    made = flowing()
    made.handle(Arrived(offset=0, data=b"abc"))
    made.handle(SourceLost("its node died"))
    assert made.handle(Taken(offset=3)) == [Break("its node died")]


def test_a_reader_that_got_more_meanwhile_goes_on_from_there() -> None:
    made = flowing(offset=3)
    made.handle(Arrived(offset=9, data=b"later"))
    assert made.handle(Taken(offset=9)) == [Fetch(node="n1", offset=9, taken=9, waits=True)]


def fetched(made: Pull, offset: int, size: int) -> list[Instruction]:
    """So much comes by fetches and is taken; what is done then."""
    while True:
        made.handle(Arrived(offset=offset, data=b"x" * min(size, pull.CHUNK_BYTES)))
        offset += min(size, pull.CHUNK_BYTES)
        size -= min(size, pull.CHUNK_BYTES)
        made.handle(Arrived(offset=offset, data=b""))
        after = made.handle(Taken(offset=offset))
        if not size:
            return after


def test_many_bytes_take_a_lane_and_after_it_the_shim_is_asked_where_it_is() -> None:
    made = flowing()
    assert fetched(made, 0, pull.LANE_AFTER_BYTES) == [UseLane(node="n1")]
    assert made.handle(LaneOver()) == [Probe()]
    assert made.handle(Taken(offset=99 << 20)) == [
        Fetch(node="n1", offset=99 << 20, taken=99 << 20, waits=True)
    ]


def test_lane_that_carried_nothing_is_tried_again_after_ever_more_bytes() -> None:
    made, size = flowing(), pull.LANE_AFTER_BYTES
    fetched(made, 0, size)
    made.handle(LaneOver())
    made.handle(Taken(offset=size))
    before = (pull.VAIN_LANE_FACTOR - 1) * size
    assert UseLane(node="n1") not in fetched(made, size, before)
    assert fetched(made, size + before, size) == [UseLane(node="n1")]


def test_end_of_reader_is_told_although_a_lane_is_used() -> None:
    made = flowing()
    fetched(made, 0, pull.LANE_AFTER_BYTES)
    assert made.handle(ReaderEnded()) == [Tell("n1")]


class World:
    """Two jobs, their nodes and shims, an agent, a clock; faults come as the seed has it."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.data = self.random.randbytes(self.random.randrange(1, 60_000))
        self.written = 0
        self.source = Stream(limit_bytes=4096)
        self.source_node = "n1"
        self.reader = Stream(limit_bytes=2048)
        self.writers = Writers()
        self.read = bytearray()
        self.is_told = False
        self.lanes = 0
        self.most_held = 0
        self._now_s = 0.0
        self._turns = itertools.count()
        self._due: list[tuple[float, int, Lane, int, Event]] = []
        self._life = 0

    def run(self) -> None:
        """Until the pipe is settled."""
        pipe = self.begin()
        for _ in range(200_000):
            self.step_jobs()
            if self.random.random() < 0.002:
                pipe = self.begin()  # kill -9: what was under way is lost, or done unheard
            if not self._due:
                continue
            self._now_s, _, lane, turn, event = heapq.heappop(self._due)
            if self._under_way.get(lane) != turn:
                continue
            if self.perform(pipe.handle(event)):
                return
            self.most_held = max(self.most_held, pipe.held_bytes)
        raise AssertionError("the pipe did not come to its end")

    def begin(self) -> Pull:
        self._under_way: dict[Lane, int] = {}
        self._due.clear()
        pipe = Pull("n1")
        self.perform(pipe.begin())
        return pipe

    def step_jobs(self) -> None:
        """Both jobs do a little; the source may move."""
        if self.random.random() < 0.7:
            room = min(self.source.room, self.random.randrange(1, 3000))
            piece = self.data[self.written : self.written + room]
            if piece:
                self.source.append(piece)
                self.written += len(piece)
            elif self.written == len(self.data) and not self.source.ended:
                self.source.finish()
        if self.random.random() < 0.5:
            at, piece = self.reader.peek(self.reader.start, self.random.randrange(1, 900))
            self.read += piece
            self.reader.forget(at + len(piece))
        if self.random.random() < 0.01:
            self.source_node = self.random.choice(["n1", "n2", "n3"])

    def perform(self, instructions: list[Instruction]) -> bool:
        for instruction in instructions:
            if isinstance(instruction, Settle):
                return True
            lane: Lane = "source"
            if isinstance(instruction, Probe | Give | Break):
                lane = "reader"
            if isinstance(instruction, Pause):
                lane = instruction.lane
            turn = next(self._turns)
            self._under_way[lane] = turn
            pause_s = instruction.pause_s if isinstance(instruction, Pause) else 0.001
            due_s = self._now_s + pause_s * self.random.uniform(1, 3)
            event = self.outcome(instruction)
            heapq.heappush(self._due, (due_s, turn, lane, turn, event))
        return False

    def outcome(self, instruction: Instruction) -> Event:
        """What the instruction does, and what is heard of it: perhaps nothing."""
        is_unheard = self.random.random() < 0.05
        match instruction:
            case Pause():
                return Woke(instruction.lane)
            case Probe():
                return self.give(0, b"", end=False)
            case Give():
                taken = self.give(instruction.offset, instruction.data, end=instruction.end)
                return ReaderSilent() if is_unheard else taken
            case Seek():
                if is_unheard:
                    return SourceSought(certain=False)
                return SourceMoved(self.source_node)
            case Fetch() | UseLane() | Tell():
                if instruction.node != self.source_node:
                    return self.elsewhere()
                heard = self.outcome_at_source(instruction)
                return SourceSilent() if is_unheard else heard
            case _:
                raise AssertionError(instruction)

    def outcome_at_source(self, instruction: Fetch | UseLane | Tell) -> Event:
        match instruction:
            case Fetch():
                return self.fetch(instruction)
            case UseLane():
                self.lanes += 1
                for _ in range(self.random.randrange(6)):
                    self.step_jobs()
                    self.pass_by_lane()
                return LaneOver()
            case Tell():
                self.is_told = True
                return Told()

    def pass_by_lane(self) -> None:
        """As the shims do it: the reader's end tells what it took, perhaps never heard."""
        offset = self.give(0, b"", end=False).offset
        at, data = self.source.peek(offset, self.random.randrange(1, 3000))
        assert at == offset
        ended = self.source.ended and at + len(data) >= self.source.end
        taken = self.give(offset, data, end=ended)
        if self.random.random() < 0.8:
            self.source.forget(taken.offset)

    def elsewhere(self) -> Event:
        if self.random.random() < 0.5:
            return SourceUnknown()
        return SourceMoved(self.source_node)

    def fetch(self, fetch: Fetch) -> Event:
        self.source.forget(fetch.taken)
        limit_bytes = self.random.randrange(1, 2000)
        at, data = self.source.peek(fetch.offset, limit_bytes)
        ended = self.source.ended and at + len(data) >= self.source.end
        return Arrived(offset=at, data=data, ended=ended)

    def give(self, offset: int, data: bytes, *, end: bool) -> Taken:
        if not self.reader.ended:
            self.reader.append(self.writers.fresh(b"pipe", offset, data, self.reader.room))
            if end and self.writers.taken(b"pipe", offset) >= offset + len(data):
                self.reader.finish()
        taken = self.writers.taken(b"pipe", offset)
        return Taken(offset=taken, ended=self.reader.ended)


@pytest.mark.parametrize("seed", range(40))
def test_no_byte_is_lost_doubled_or_reordered_whatever_fails(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "LANE_AFTER_BYTES", 2000)
    world = World(seed)
    world.run()
    assert world.lanes or len(world.data) < 20_000
    rest = world.reader.peek(world.reader.start, world.reader.held)[1]
    assert bytes(world.read) + rest == world.data
    assert world.reader.ended and world.is_told
    assert world.most_held <= pull.WINDOW_BYTES
