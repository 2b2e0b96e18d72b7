import os
from pathlib import Path

import pytest

from nodeagent.shim.log import Log, failure_note, truncation_note


def test_log_keeps_the_first_bytes_and_says_where_it_stops(tmp_path: Path) -> None:
    log = Log(tmp_path / "stdout", limit_bytes=10)
    log.take(b"0123456")
    log.take(b"789abc")
    log.take(b"def")
    log.finish()
    expected = b"0123456789" + truncation_note(10)
    assert (tmp_path / "stdout").read_bytes() == expected
    assert log.read(0, 100, peek=True) == (0, b"0123456789")
    assert log.read(10, 100, peek=True) == (10, truncation_note(10))
    assert log.end == len(expected)


def test_log_of_exactly_its_limit_is_not_truncated(tmp_path: Path) -> None:
    log = Log(tmp_path / "stdout", limit_bytes=4)
    log.take(b"abcd")
    log.finish()
    assert (tmp_path / "stdout").read_bytes() == b"abcd"
    assert log.note == b""


def test_full_disk_neither_fails_nor_blocks_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(tmp_path / "stdout", limit_bytes=1000)
    log.take(b"kept")

    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", refuse)
    log.take(b"lost")
    log.take(b"lost as well")
    log.finish()
    assert log.read(0, 100, peek=True) == (0, b"kept")
    assert log.read(4, 100, peek=True)[1] == failure_note("No space left on device")
    assert log.room == 0


def test_log_that_cannot_be_made_says_so_to_its_reader(tmp_path: Path) -> None:
    log = Log(tmp_path / "missing" / "stdout", limit_bytes=1000)
    log.take(b"lost")
    log.finish()
    assert log.read(0, 100, peek=True) == (0, failure_note("No such file or directory"))


def test_log_does_not_follow_a_link_that_somebody_put_there(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "stdout").symlink_to(tmp_path / "victim")
    Log(tmp_path / "stdout", limit_bytes=1000).take(b"attack")
    assert (tmp_path / "victim").read_bytes() == b"precious"


def test_moved_log_goes_on_behind_what_it_was(tmp_path: Path) -> None:
    (tmp_path / "stdout").write_bytes(b"stale, from an earlier visit")
    log = Log(tmp_path / "stdout", limit_bytes=100)
    log.adopt(b"one ", b"")
    log.take(b"two")
    log.finish()
    assert (tmp_path / "stdout").read_bytes() == b"one two"
