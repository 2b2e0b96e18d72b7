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
