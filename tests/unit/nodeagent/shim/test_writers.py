from nodeagent.shim.writers import MOST_WRITERS, ONLY_WRITER, Writers

ADA, BOB = b"ada", b"bob"


def test_input_sent_twice_is_taken_once() -> None:
    writers = Writers()
    assert writers.fresh(ADA, 0, b"abc", 99) == b"abc"
    assert writers.fresh(ADA, 0, b"abcdef", 99) == b"def"
    assert writers.fresh(ADA, 2, b"c", 99) == b""
    assert writers.taken(ADA, 6) == 6


def test_what_two_people_type_is_counted_apart() -> None:
    writers = Writers()
    assert writers.fresh(ADA, 0, b"abc", 99) == b"abc"
    assert writers.fresh(BOB, 0, b"xy", 99) == b"xy"
    assert writers.fresh(ADA, 3, b"d", 99) == b"d"
    assert writers.snapshot() == ((BOB, 2), (ADA, 4))


def test_no_more_is_taken_than_there_is_room_for() -> None:
    writers = Writers()
    assert writers.fresh(ADA, 0, b"abcdef", 4) == b"abcd"
    assert writers.fresh(ADA, 0, b"abcdef", 0) == b""
    assert writers.fresh(ADA, 4, b"ef", 99) == b"ef"


def test_input_beyond_a_gap_is_not_taken() -> None:
    writers = Writers()
    assert writers.fresh(ONLY_WRITER, 5, b"later", 99) == b""
    assert writers.taken(ONLY_WRITER, 5) == 0


def test_writer_that_is_not_known_begins_where_it_says() -> None:
    assert Writers().fresh(ADA, 7, b"on", 99) == b"on"


def test_the_writer_that_was_silent_for_longest_is_forgotten() -> None:
    writers = Writers()
    for number in range(MOST_WRITERS):
        writers.fresh(b"%d" % number, 0, b"x", 99)
    writers.fresh(b"0", 1, b"y", 99)
    writers.fresh(ADA, 0, b"new", 99)
    known = dict(writers.snapshot())
    assert len(known) == MOST_WRITERS
    assert known[b"0"] == 2
    assert b"1" not in known


def test_writers_go_along_with_a_job_that_moves() -> None:
    here, there = Writers(), Writers()
    here.fresh(ADA, 0, b"abc", 99)
    there.recall(here.snapshot())
    assert there.fresh(ADA, 0, b"abcd", 99) == b"d"
