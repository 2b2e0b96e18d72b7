"""What is done next for a pipe: each case by itself, and then all faults at once by a seed."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from random import Random

import pytest

from nodeagent.pipes import pull
from nodeagent.pipes.pull import Event, Instruction, Lane, Pull
from nodeagent.shim.stream import Stream
from nodeagent.shim.writers import Writers


def flowing(offset: int = 0) -> Pull:
    """A pipe whose reader has so much, with a fetch under way."""
    made = Pull("n1")
    assert made.begin() == [pull.Probe()]
    assert made.handle(pull.Taken(offset=offset)) == [
        pull.Fetch(node="n1", offset=offset, taken=offset, waits=True)
    ]
    return made


def test_an_agent_that_begins_anew_goes_on_where_the_shim_is() -> None:
    flowing(offset=4711)


def test_next_bytes_are_fetched_while_the_last_are_given() -> None:
    made = flowing()
    assert made.handle(pull.Arrived(offset=0, data=b"abc")) == [
        pull.Give(offset=0, data=b"abc", end=False),
        pull.Fetch(node="n1", offset=3, taken=0, waits=False),
    ]


def test_a_full_source_is_asked_again_once_it_may_forget_some() -> None:
    made = flowing()
    made.handle(pull.Arrived(offset=0, data=b"abc"))
    assert made.handle(pull.Arrived(offset=3, data=b"")) == []
    assert made.handle(pull.Taken(offset=1)) == [
        pull.Give(offset=1, data=b"bc", end=False),
        pull.Fetch(node="n1", offset=3, taken=1, waits=False),
    ]


def test_a_reader_that_takes_nothing_stops_the_fetching() -> None:
    made = flowing()
    data = b"x" * pull.CHUNK_BYTES
    instructions: Sequence[Instruction] = made.handle(pull.Arrived(offset=0, data=data))
    while fetch := next((each for each in instructions if isinstance(each, pull.Fetch)), None):
        instructions = made.handle(pull.Arrived(offset=fetch.offset, data=data))
    assert made.held_bytes <= pull.WINDOW_BYTES


def test_end_of_source_is_given_with_its_last_bytes_and_told_back_once_it_is_taken() -> None:
    made = flowing()
    assert made.handle(pull.Arrived(offset=0, data=b"end", ended=True)) == [
        pull.Give(offset=0, data=b"end", end=True)
    ]
    assert made.handle(pull.Taken(offset=3)) == [pull.Give(offset=3, data=b"", end=True)]
    assert made.handle(pull.Taken(offset=3, ended=True)) == [pull.Tell("n1")]
    assert made.handle(pull.Told()) == [pull.Settle()]
    assert made.handle(pull.Told()) == []


def test_end_of_reader_is_told_at_once_although_a_fetch_waits() -> None:
    made = flowing()
    assert made.handle(pull.ReaderEnded()) == [pull.Tell("n1")]
    assert made.handle(pull.SourceSilent()) == [pull.Pause("source", pull.FIRST_PAUSE_S)]
    assert made.handle(pull.Woke("source")) == [pull.Tell("n1")]
    assert made.handle(pull.SourceMoved("n3")) == [pull.Tell("n3")]
    assert made.handle(pull.Told()) == [pull.Settle()]


def test_reader_that_closed_its_input_is_given_nothing_more() -> None:
    made = flowing()
    made.handle(pull.Arrived(offset=0, data=b"abc"))
    assert made.handle(pull.Taken(offset=0, closed=True)) == [pull.Tell("n1")]


def test_silent_source_is_asked_ever_more_rarely_and_never_taken_for_its_end() -> None:
    made = flowing()
    pauses = []
    for _ in range(10):
        (pause,) = made.handle(pull.SourceSilent())
        assert isinstance(pause, pull.Pause)
        pauses.append(pause.pause_s)
        (again,) = made.handle(pull.Woke("source"))
        assert isinstance(again, pull.Fetch)
    assert pauses == sorted(pauses)
    assert pauses[-1] == pull.LONGEST_PAUSE_S


def test_source_that_moved_is_followed_and_two_nodes_that_point_at_each_other_are_given_time() -> (
    None
):
    made = flowing()
    assert made.handle(pull.SourceMoved("n2")) == [
        pull.Fetch(node="n2", offset=0, taken=0, waits=True)
    ]
    assert made.handle(pull.SourceMoved("n2")) == [pull.Pause("source", pull.FIRST_PAUSE_S)]


def test_source_that_nobody_has_is_lost_after_two_rounds_in_which_all_answered() -> None:
    made = flowing()
    assert made.handle(pull.SourceUnknown()) == [pull.Seek()]
    for certain in (True, False, True):
        (pause,) = made.handle(pull.SourceSought(certain=certain))
        assert isinstance(pause, pull.Pause)
        assert made.handle(pull.Woke("source")) == [pull.Seek()]
    broken, tell = made.handle(pull.SourceSought(certain=True))
    assert isinstance(broken, pull.Break) and tell == pull.Seek()


def test_source_that_is_found_elsewhere_goes_on_from_there() -> None:
    made = flowing()
    made.handle(pull.SourceUnknown())
    assert made.handle(pull.SourceMoved("n3")) == [
        pull.Fetch(node="n3", offset=0, taken=0, waits=True)
    ]


@pytest.mark.parametrize("offset", [2, 4])
def test_a_gap_in_the_numbers_breaks_the_pipe(offset: int) -> None:
    made = flowing(offset=3)
    # The reader may have got more by another way meanwhile: its shim is asked first.
    assert made.handle(pull.Arrived(offset=offset, data=b"later")) == [pull.Probe()]
    (again,) = made.handle(pull.Taken(offset=3))
    assert isinstance(again, pull.Fetch)
    broken, tell = made.handle(pull.Arrived(offset=offset, data=b"later"))
    assert isinstance(broken, pull.Break) and tell == pull.Tell("n1")
    assert made.handle(pull.Told()) == []
    assert made.handle(pull.Broken()) == [pull.Settle()]


def test_lost_bytes_are_no_end_of_input() -> None:
    made = flowing()
    made.handle(pull.Arrived(offset=0, data=b"abc"))
    made.handle(pull.SourceLost("its node died"))
    assert made.handle(pull.Taken(offset=3)) == [pull.Break("its node died")]


def test_a_reader_that_got_more_meanwhile_goes_on_from_there() -> None:
    made = flowing(offset=3)
    made.handle(pull.Arrived(offset=9, data=b"later"))
    assert made.handle(pull.Taken(offset=9)) == [
        pull.Fetch(node="n1", offset=9, taken=9, waits=True)
    ]


def fetched(made: Pull, offset: int, size: int) -> list[Instruction]:
    """So much comes by fetches and is taken; what is done then."""
    while True:
        made.handle(pull.Arrived(offset=offset, data=b"x" * min(size, pull.CHUNK_BYTES)))
        offset += min(size, pull.CHUNK_BYTES)
        size -= min(size, pull.CHUNK_BYTES)
        made.handle(pull.Arrived(offset=offset, data=b""))
        after = made.handle(pull.Taken(offset=offset))
        if not size:
            return after


def test_many_bytes_take_a_lane_and_after_it_the_shim_is_asked_where_it_is() -> None:
    made = flowing()
    assert fetched(made, 0, pull.LANE_AFTER_BYTES) == [pull.UseLane(node="n1")]
    assert made.handle(pull.LaneOver()) == [pull.Probe()]
    assert made.handle(pull.Taken(offset=99 << 20)) == [
        pull.Fetch(node="n1", offset=99 << 20, taken=99 << 20, waits=True)
    ]


def test_lane_that_carried_nothing_is_tried_again_after_ever_more_bytes() -> None:
    made, size = flowing(), pull.LANE_AFTER_BYTES
    fetched(made, 0, size)
    made.handle(pull.LaneOver())
    made.handle(pull.Taken(offset=size))
    before = (pull.VAIN_LANE_FACTOR - 1) * size
    assert pull.UseLane(node="n1") not in fetched(made, size, before)
    assert fetched(made, size + before, size) == [pull.UseLane(node="n1")]


def test_end_of_reader_is_told_although_a_lane_is_used() -> None:
    made = flowing()
    fetched(made, 0, pull.LANE_AFTER_BYTES)
    assert made.handle(pull.ReaderEnded()) == [pull.Tell("n1")]


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
            if isinstance(instruction, pull.Settle):
                return True
            lane: Lane = "source"
            if isinstance(instruction, pull.Probe | pull.Give | pull.Break):
                lane = "reader"
            if isinstance(instruction, pull.Pause):
                lane = instruction.lane
            turn = next(self._turns)
            self._under_way[lane] = turn
            pause_s = instruction.pause_s if isinstance(instruction, pull.Pause) else 0.001
            due_s = self._now_s + pause_s * self.random.uniform(1, 3)
            event = self.outcome(instruction)
            heapq.heappush(self._due, (due_s, turn, lane, turn, event))
        return False

    def outcome(self, instruction: Instruction) -> Event:
        """What the instruction does, and what is heard of it: perhaps nothing."""
        is_unheard = self.random.random() < 0.05
        match instruction:
            case pull.Pause():
                return pull.Woke(instruction.lane)
            case pull.Probe():
                return self.give(0, b"", end=False)
            case pull.Give():
                taken = self.give(instruction.offset, instruction.data, end=instruction.end)
                return pull.ReaderSilent() if is_unheard else taken
            case pull.Seek():
                if is_unheard:
                    return pull.SourceSought(certain=False)
                return pull.SourceMoved(self.source_node)
            case pull.Fetch() | pull.UseLane() | pull.Tell():
                if instruction.node != self.source_node:
                    return self.elsewhere()
                heard = self.outcome_at_source(instruction)
                return pull.SourceSilent() if is_unheard else heard
            case _:
                raise AssertionError(instruction)

    def outcome_at_source(self, instruction: pull.Fetch | pull.UseLane | pull.Tell) -> Event:
        match instruction:
            case pull.Fetch():
                return self.fetch(instruction)
            case pull.UseLane():
                self.lanes += 1
                for _ in range(self.random.randrange(6)):
                    self.step_jobs()
                    self.pass_by_lane()
                return pull.LaneOver()
            case pull.Tell():
                self.is_told = True
                return pull.Told()

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
            return pull.SourceUnknown()
        return pull.SourceMoved(self.source_node)

    def fetch(self, fetch: pull.Fetch) -> Event:
        self.source.forget(fetch.taken)
        limit_bytes = self.random.randrange(1, 2000)
        at, data = self.source.peek(fetch.offset, limit_bytes)
        ended = self.source.ended and at + len(data) >= self.source.end
        return pull.Arrived(offset=at, data=data, ended=ended)

    def give(self, offset: int, data: bytes, *, end: bool) -> pull.Taken:
        if not self.reader.ended:
            self.reader.append(self.writers.fresh(b"pipe", offset, data, self.reader.room))
            if end and self.writers.taken(b"pipe", offset) >= offset + len(data):
                self.reader.finish()
        taken = self.writers.taken(b"pipe", offset)
        return pull.Taken(offset=taken, ended=self.reader.ended)


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
