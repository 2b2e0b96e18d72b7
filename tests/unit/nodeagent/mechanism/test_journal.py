"""What reaches systemd's journal, and that nobody waits for it."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.mechanism.journal import Journal, journal_handlers, leave_journal, priority_of


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.settimeout(30)
        yield listener


def record(level: int, text: str) -> logging.LogRecord:
    return logging.LogRecord("nodeagent.x", level, "x.py", 1, text, None, None)


def test_a_record_is_one_datagram_with_its_priority_and_all_its_lines(
    journald: socket.socket, tmp_path: Path
) -> None:
    environment = {"JOURNAL_STREAM": "8:1"}
    [journal] = journal_handlers("ssi-agent", environment, tmp_path / "socket")
    journal.handle(record(logging.ERROR, "event=x\nPRIORITY=0"))
    told = journald.recv(1 << 16)
    head, _, rest = told.partition(b"MESSAGE\n")
    assert head == b"PRIORITY=3\nSYSLOG_IDENTIFIER=ssi-agent\nLOGGER=nodeagent.x\n"
    assert rest == (18).to_bytes(8, "little") + b"event=x\nPRIORITY=0\n"
    journal.close()


def test_there_is_no_journal_where_systemd_did_not_start_us(tmp_path: Path) -> None:
    assert journal_handlers("ssi-agent", {}, tmp_path) == []
    assert journal_handlers("ssi-agent", {"JOURNAL_STREAM": "8:1"}, tmp_path / "none") == []


def test_a_journal_that_is_full_or_away_holds_nobody_up(
    journald: socket.socket, tmp_path: Path
) -> None:
    journal = Journal("ssi-agent", tmp_path / "socket")
    for _ in range(2000):
        journal.handle(record(logging.INFO, "x" * 1000))
    journald.close()
    journal.handle(record(logging.INFO, "x"))
    journal.close()


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.CRITICAL, 2), (logging.ERROR, 3), (35, 4), (logging.INFO, 6), (logging.DEBUG, 7)],
)
def test_levels_become_priorities(level: int, priority: int) -> None:
    assert priority_of(level) == priority


def test_a_fork_leaves_the_journal_and_keeps_its_log(tmp_path: Path) -> None:
    kept, journal = logging.NullHandler(), Journal("ssi-keeper", tmp_path / "socket")
    root = logging.getLogger()
    before = root.handlers[:]
    try:
        root.handlers[:] = [journal, kept]
        leave_journal()
        assert root.handlers == [kept]
    finally:
        root.handlers[:] = before
        journal.close()
