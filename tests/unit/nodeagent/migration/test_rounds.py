"""When memory goes ahead, and when there has been enough of it."""

import pytest

from nodeagent.migration.rounds import LARGE_BYTES, MOST, Round, best_live, goes_on, may_begin
from ssi.model.migration import Live

MIB = 1 << 20
GIB = 1 << 30


def test_memory_of_a_large_job_goes_ahead_where_the_kernel_tells_what_is_written_to() -> None:
    assert best_live(LARGE_BYTES, tracks_writes=True, is_frozen=False) is Live.PRE
    assert best_live(LARGE_BYTES - 1, tracks_writes=True, is_frozen=False) is Live.STOP
    assert best_live(LARGE_BYTES, tracks_writes=False, is_frozen=False) is Live.STOP
    assert best_live(LARGE_BYTES, tracks_writes=True, is_frozen=True) is Live.STOP


def test_there_must_be_room_for_a_job_that_writes_to_all_of_it_meanwhile() -> None:
    assert may_begin(GIB, 2 * GIB)
    assert not may_begin(GIB, 2 * GIB - 1)
    assert not may_begin(1, 0)


@pytest.mark.parametrize(
    ("sizes_mib", "room_gib", "more"),
    [
        ([1024], 8, True),
        ([1024, 300], 8, True),
        ([1024, 300, 260], 8, False),  # it writes as fast as we send
        ([1024, 1024], 8, False),
        ([1024, 20], 8, False),  # 40 ms at the speed of the first round
        ([1024, 30], 8, True),
        ([1024, 500], 3, True),
        ([1024, 700], 3, False),  # one more of 700 MiB, and then all of it: no room
        ([0], 8, False),
    ],
)
def test_rounds_go_on_while_less_and_less_is_left(
    sizes_mib: list[int], room_gib: int, more: bool
) -> None:
    rounds = [Round(size * MIB, size * 0.002) for size in sizes_mib]
    assert goes_on(rounds, room_gib * GIB) == more


def test_rounds_come_to_an_end_also_where_the_link_is_slow() -> None:
    rounds = [Round(100 * GIB >> number, 1000.0) for number in range(MOST)]
    assert goes_on(rounds[:-1], 1000 * GIB)
    assert not goes_on(rounds, 1000 * GIB)
