from nodeagent.shim.sink import HISTORY_BYTES, TerminalSink
from nodeagent.shim.stream import Stream


def test_what_a_viewer_has_confirmed_is_kept_for_the_next() -> None:
    sink = TerminalSink(Stream())
    sink.take(b"screen")
    assert sink.read(6, 99, peek=False) == (6, b"")
    assert sink.read(0, 99, peek=False) == (0, b"screen")


def test_job_waits_for_a_viewer_that_is_awaited_and_nothing_is_lost() -> None:
    sink = TerminalSink(Stream())
    sink.take(b"x" * HISTORY_BYTES)
    assert sink.room == 0
    sink.take(b"drained")
    assert sink.read(0, 3, peek=True) == (0, b"xxx")
    sink.read(1000, 1, peek=False)
    assert sink.room == 1000 - len(b"drained")


def test_without_a_viewer_the_job_never_waits_and_the_oldest_is_dropped() -> None:
    sink = TerminalSink(Stream())
    sink.awaited = False
    sink.take(b"old" + b"x" * HISTORY_BYTES)
    assert sink.room == HISTORY_BYTES
    assert sink.read(0, 3, peek=False) == (3, b"xxx")


def test_looking_confirms_nothing() -> None:
    sink = TerminalSink(Stream())
    sink.take(b"x" * HISTORY_BYTES)
    sink.read(HISTORY_BYTES, 1, peek=True)
    assert sink.room == 0


def test_ended_terminal_has_no_room() -> None:
    sink = TerminalSink(Stream())
    sink.take(b"last")
    sink.finish()
    assert (sink.room, sink.ended, sink.end) == (0, True, 4)
