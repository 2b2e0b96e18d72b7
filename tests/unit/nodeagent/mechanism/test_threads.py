"""Threads as /proc has them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from nodeagent.mechanism.threads import read_threads
from tests.unit.nodeagent.mechanism.test_procfs import stat_line


def put(root: Path, pid: int, tid: int, **stat: object) -> None:
    folder = root / str(pid) / "task" / str(tid)
    folder.mkdir(parents=True)
    (folder / "stat").write_bytes(stat_line(tid, **stat))  # type: ignore[arg-type]


def test_the_first_thread_is_the_process_itself(tmp_path: Path) -> None:
    put(tmp_path, 42, 42)
    put(tmp_path, 42, 113, name=b"I/O) R", state=b"R", start_ticks=900)
    put(tmp_path, 42, 57, name=b"\xff")
    threads = read_threads(42, tmp_path)
    assert [(each.tid, each.name, each.state) for each in threads] == [
        (57, "\\xff", "S"),
        (113, "I/O) R", "R"),
    ]
    assert threads[1].start_ticks == 900
    assert (threads[1].utime_ticks, threads[1].stime_ticks, threads[1].nice) == (120, 30, -5)


def test_a_thread_that_ends_meanwhile_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, 42, 42)
    (tmp_path / "42" / "task" / "57").mkdir()
    assert read_threads(42, tmp_path) == []


def test_a_process_that_has_ended_has_no_threads() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    assert read_threads(ended.pid) == []


def test_threads_of_this_process_are_found() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert thread.native_id in {each.tid for each in read_threads(os.getpid())}
    finally:
        done.set()
        thread.join()
