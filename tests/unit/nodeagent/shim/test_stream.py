from random import Random

import pytest

from nodeagent.shim.stream import Stream


def test_room_shrinks_with_what_is_held() -> None:
    stream = Stream(limit_bytes=10)
    stream.append(b"abcdef")
    assert (stream.start, stream.end, stream.room) == (0, 6, 4)


def test_reader_gets_bytes_from_its_number_on() -> None:
    stream = Stream()
    stream.append(b"0123456789")
    assert stream.peek(4, 3) == (4, b"456")
    assert stream.peek(4, 100) == (4, b"456789")


def test_forgotten_bytes_make_room_and_keep_the_numbers() -> None:
    stream = Stream(limit_bytes=10)
    stream.append(b"0123456789")
    stream.forget(7)
    assert (stream.start, stream.end, stream.room) == (7, 10, 7)
    assert stream.peek(0, 100) == (7, b"789")


def test_forgetting_beyond_the_end_forgets_what_there_is() -> None:
    stream = Stream()
    stream.append(b"abc")
    stream.forget(99)
    assert (stream.start, stream.end) == (3, 3)


def test_reader_ahead_of_the_end_gets_nothing_at_the_end() -> None:
    stream = Stream()
    stream.append(b"abc")
    assert stream.peek(10, 5) == (3, b"")


def test_bytes_put_back_come_first_even_beyond_the_limit() -> None:
    stream = Stream(limit_bytes=4)
    stream.append(b"abcd")
    stream.forget(4)
    stream.append(b"efgh")
    stream.put_back(b"bcd")
    assert stream.peek(0, 100) == (1, b"bcdefgh")
    assert stream.room == 0


def test_piece_is_lent_without_a_copy() -> None:
    stream = Stream()
    large = bytes(range(256)) * 1024
    stream.append(large)
    stream.append(b"small")
    stream.forget(7)
    piece, at = stream.piece_at(9)
    assert piece is large and at == 9
    piece, at = stream.piece_at(len(large) + 1)
    assert piece[at:] == b"mall"


@pytest.mark.parametrize("seed", range(30))
def test_bytes_in_pieces_are_those_of_one_buffer(seed: int) -> None:
    random, stream, model, start = Random(seed), Stream(limit_bytes=1 << 30), b"", 0
    for _ in range(300):
        size = random.choice([0, 1, 9, 5000, 40_000, 90_000])
        match random.randrange(4):
            case 0 | 1:
                data = random.randbytes(size)
                stream.append(data if random.randrange(2) else memoryview(data))
                model += data
            case 2:
                offset = start + random.randrange(-5, len(model) + 5)
                stream.forget(offset)
                gone = min(max(0, offset - start), len(model))
                model, start = model[gone:], start + gone
            case _:
                data = random.randbytes(min(size, start))
                stream.put_back(data)
                model, start = data + model, start - len(data)
        assert (stream.start, stream.end, stream.held) == (start, start + len(model), len(model))
        offset = start + random.randrange(-5, len(model) + 5)
        at, found = stream.peek(offset, size)
        assert start <= at <= start + len(model)
        assert found == model[at - start : at - start + size]
        if at < stream.end:
            piece, place = stream.piece_at(at)
            assert piece[place] == model[at - start]
