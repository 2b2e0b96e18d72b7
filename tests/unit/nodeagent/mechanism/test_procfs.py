"""The reader of /proc, on a made-up /proc and on the real one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nodeagent.mechanism.procfs import (
    COMMAND_MAX_AGE_S,
    PAGE_BYTES,
    ProcessTable,
    descendants,
    is_dying,
    parse_namespace_pids,
    parse_stat,
    read_state,
    terminal_name,
)


def stat_line(
    pid: int,
    *,
    name: bytes = b"cat",
    ppid: int = 1,
    flags: int = 0,
    start_ticks: int = 500,
    start_stack: int = 140_000,
    state: bytes = b"S",
) -> bytes:
    """A line as proc_pid_stat(5) describes it; 52 fields."""
    fields = [b"0"] * 50
    fields[0] = state
    fields[1:5] = [b"%d" % ppid, b"%d" % pid, b"%d" % pid, b"34816"]
    fields[6] = b"%d" % flags
    fields[11:13] = [b"120", b"30"]
    fields[16:18] = [b"-5", b"3"]
    fields[19:22] = [b"%d" % start_ticks, b"8192000", b"250"]
    fields[25] = b"%d" % start_stack
    return b"%d (%s) " % (pid, name) + b" ".join(fields) + b"\n"


class FakeProc:
    """A /proc in a folder, and a clock that stands still unless told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now_s = 100.0
        self.table = ProcessTable(root, lambda: self.now_s)
        (root / "sys").mkdir()
        (root / "meminfo").write_text("MemTotal: 1 kB\n")

    def put(
        self, pid: int, command: bytes = b"", nspid: str = "", **stat: Any
    ) -> None:  # Any: of stat_line
        folder = self.root / str(pid)
        folder.mkdir(exist_ok=True)
        (folder / "stat").write_bytes(stat_line(pid, **stat))
        (folder / "cmdline").write_bytes(command)
        (folder / "status").write_text(f"Name:\tcat\nNSpid:\t{nspid or pid}\nVmRSS:\t1 kB\n")

    def remove(self, pid: int) -> None:
        for file in (self.root / str(pid)).iterdir():
            file.unlink()
        (self.root / str(pid)).rmdir()


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    return FakeProc(tmp_path)


def test_scan_reads_every_field_of_a_process(proc: FakeProc) -> None:
    proc.put(1, b"/sbin/init\0", ppid=0)
    proc.put(42, b"cat\0-n\0a file\0")
    first, second = proc.table.scan()
    assert first.pid == 1
    assert second._asdict() == {
        "pid": 42,
        "ppid": 1,
        "pgrp": 42,
        "session": 42,
        "tty": "pts/0",
        "state": "S",
        "utime_ticks": 120,
        "stime_ticks": 30,
        "nice": -5,
        "threads": 3,
        "start_ticks": 500,
        "vsize_bytes": 8192000,
        "rss_bytes": 250 * PAGE_BYTES,
        "uid": os.getuid(),
        "name": "cat",
        "command": ("cat", "-n", "a file"),
    }


@pytest.mark.parametrize(
    "name", [b"a b", b")", b"((", b") S 1 (", b"tmux: server", b"x\ny", b"", b"\xff\xfe"]
)
def test_name_with_parentheses_and_blanks_shifts_no_field(name: bytes) -> None:
    stat = parse_stat(stat_line(7, name=name, ppid=99))
    assert (stat.name, stat.state, stat.ppid, stat.start_ticks) == (name, "S", 99, 500)


@pytest.mark.parametrize("line", [b"", b"7 (cat", b"7 (cat) S 1", b"7 )cat( S 1 2 3"])
def test_what_is_no_line_of_stat_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="not a line"):
        parse_stat(line)


def test_process_that_vanishes_during_the_scan_is_left_out(proc: FakeProc) -> None:
    proc.put(1, ppid=0)
    proc.put(2)
    (proc.root / "2" / "stat").unlink()
    assert [p.pid for p in proc.table.scan()] == [1]


def test_process_whose_parent_vanished_is_read_again(proc: FakeProc) -> None:
    """The parent has the higher pid, so the child is read first.

    1. The child is read; its parent is 900.
    2. 900 ends, and the child gets parent 1.
    3. 900 is not found.
    """
    proc.put(1, ppid=0)
    proc.put(10, ppid=900)
    real_read = proc.table._read
    reads: list[int] = []

    def read_then_reparent(pid: int, *rest: object) -> object:
        reads.append(pid)
        process = real_read(pid, *rest)  # type: ignore[arg-type]
        if reads.count(10) == 1:
            proc.put(10, ppid=1)
        return process

    proc.table._read = read_then_reparent  # type: ignore[assignment]
    assert [(p.pid, p.ppid) for p in proc.table.scan()] == [(1, 0), (10, 1)]
    assert reads == [1, 10, 10]


def test_kernel_thread_is_not_asked_for_arguments(proc: FakeProc) -> None:
    proc.put(2, b"never read\0", ppid=0, name=b"kthreadd", flags=0x00200000)
    assert proc.table.scan()[0].command == ()


def test_zombie_keeps_its_name_and_has_no_arguments(proc: FakeProc) -> None:
    proc.put(5, b"", ppid=0, state=b"Z", name=b"gone")
    zombie = proc.table.scan()[0]
    assert (zombie.state, zombie.name, zombie.command) == ("Z", "gone", ())


def test_bytes_that_are_no_utf8_are_written_out(proc: FakeProc) -> None:
    proc.put(5, b"ls\0\xff\xfe\0caf\xc3\xa9\0", ppid=0, name=b"\xe9t\xe9")
    process = proc.table.scan()[0]
    assert process.command == ("ls", "\\xff\\xfe", "café")
    assert process.name == "\\xe9t\\xe9"


def test_command_line_is_remembered_until_the_stack_moves(proc: FakeProc) -> None:
    proc.put(5, b"old\0", ppid=0)
    proc.table.scan()
    proc.put(5, b"new\0", ppid=0)
    assert proc.table.scan()[0].command == ("old",)
    proc.put(5, b"new\0", ppid=0, start_stack=150_000)
    assert proc.table.scan()[0].command == ("new",)


@pytest.mark.parametrize("change", [{"name": b"other"}, {"start_ticks": 501}])
def test_command_line_is_read_again_for_another_name_or_start(
    proc: FakeProc, change: dict[str, Any]
) -> None:
    proc.put(5, b"old\0", ppid=0)
    proc.table.scan()
    proc.put(5, b"new\0", ppid=0, **change)
    assert proc.table.scan()[0].command == ("new",)


def test_rewritten_title_is_seen_after_the_stated_age(proc: FakeProc) -> None:
    proc.put(5, b"sshd: ada [priv]\0", ppid=0)
    proc.table.scan()
    proc.put(5, b"sshd: ada@pts/0\0\0\0\0", ppid=0)
    proc.now_s += COMMAND_MAX_AGE_S - 0.1
    assert proc.table.scan()[0].command == ("sshd: ada [priv]",)
    proc.now_s += 0.2
    assert proc.table.scan()[0].command == ("sshd: ada@pts/0",)


def test_nothing_is_remembered_of_processes_that_are_gone(proc: FakeProc) -> None:
    proc.put(5, b"a\0", ppid=0)
    proc.table.scan()
    assert proc.table.namespace_pids(5, 500) == (5,)
    proc.remove(5)
    assert proc.table.scan() == []
    assert proc.table._known == {}
    assert proc.table._namespace_pids == {}


def test_namespace_pids_are_asked_once_per_process(proc: FakeProc) -> None:
    proc.put(5, ppid=0, nspid="5\t17\t1")
    assert proc.table.namespace_pids(5, 500) == (5, 17, 1)
    proc.put(5, ppid=0, nspid="5\t99")
    assert proc.table.namespace_pids(5, 500) == (5, 17, 1)
    assert proc.table.namespace_pids(5, 501) == (5, 99)


def test_namespace_pids_of_a_process_that_is_gone_are_empty(proc: FakeProc) -> None:
    assert proc.table.namespace_pids(77, 1) == ()


def test_kernel_without_pid_namespaces_has_no_namespace_pids() -> None:
    assert parse_namespace_pids(b"Name:\tx\nPid:\t4\n") == ()


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0, "?"),
        (os.makedev(136, 3), "pts/3"),
        (os.makedev(137, 1), "pts/257"),
        (os.makedev(4, 1), "tty1"),
        (os.makedev(4, 64), "ttyS0"),
        (os.makedev(5, 1), "console"),
        (os.makedev(204, 64), "204:64"),
    ],
)
def test_terminals_are_named_as_in_ps(number: int, name: str) -> None:
    assert terminal_name(number) == name


def test_ten_thousand_processes_are_all_listed(proc: FakeProc) -> None:
    for pid in range(1, 10_001):
        folder = proc.root / str(pid)
        folder.mkdir()
        (folder / "stat").write_bytes(stat_line(pid, ppid=pid - 1))
        (folder / "cmdline").write_bytes(b"worker\0%d\0" % pid)
    scan = proc.table.scan()
    assert [p.pid for p in scan] == list(range(1, 10_001))
    assert scan[9_999].command == ("worker", "10000")


def test_real_process_is_seen_with_its_arguments_and_after_exec_with_new_ones() -> None:
    """The name stays `python...` over the exec; only the stack tells."""
    script = "import os,sys; print(flush=True); input(); os.execv(sys.executable, ['again', '-c', \
'print(flush=True); input()'])"
    table = ProcessTable()
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        before = {p.pid: p for p in table.scan()}[child.pid]
        child.stdin.write(b"\n")
        child.stdin.flush()
        child.stdout.readline()
        after = {p.pid: p for p in table.scan()}[child.pid]
        child.stdin.write(b"\n")
    assert before.command == (sys.executable, "-c", script)
    assert before.ppid == os.getpid()
    assert before.uid == os.geteuid()
    assert after.command[0] == "again"
    assert after.start_ticks == before.start_ticks


def test_state_of_one_process_is_its_letter_until_it_is_gone() -> None:
    assert read_state(os.getpid()) == "R"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        os.kill(child.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED)
        stopped = read_state(child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        dead = read_state(child.pid)
    assert (stopped, dead, read_state(child.pid)) == ("T", "Z", "")


TREE = """
import os, sys, threading, time
def child(*below):
    if os.fork() == 0:
        for each in below:
            each()
        time.sleep(60)
forking = threading.Thread(target=child, args=(child,))
forking.start()
forking.join()
child(lambda: child(child))
print("ready", flush=True)
time.sleep(60)
"""


def test_all_below_a_process_are_found_also_children_of_its_threads() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", TREE], stdout=subprocess.PIPE, start_new_session=True
    ) as root:
        try:
            assert root.stdout is not None
            assert root.stdout.readline() == b"ready\n"
            wanted_s = time.monotonic() + 30
            while len(below := descendants(root.pid)) < 5:
                assert time.monotonic() < wanted_s, below
                time.sleep(0.01)
            scan = ProcessTable().scan()
            session = {each.pid for each in scan if each.session == root.pid}
            assert {root.pid, *below} == session
            seen = ProcessTable().scan_below(root.pid)
            assert [each.pid for each in seen] == sorted(session)
            assert {each.name for each in seen} == {
                each.name for each in scan if each.pid in session
            }
        finally:
            os.killpg(root.pid, signal.SIGKILL)


def test_a_process_that_frees_much_memory_is_dying_before_it_is_gone() -> None:
    code = "held = b'x' * (1 << 30); print('ready', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert not is_dying(process.pid) and not is_dying(os.getpid())
        process.kill()
        wanted_s = time.monotonic() + 30
        while not is_dying(process.pid):
            assert time.monotonic() < wanted_s
        # A gibibyte is freed before the last letter is a Z.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert read_state(process.pid) == "Z" and is_dying(process.pid)
        process.wait()
        assert is_dying(process.pid)


def test_a_process_whose_first_thread_has_ended_is_not_dying() -> None:
    code = """
import ctypes, platform, threading, time
def other():
    time.sleep(0.2)
    print("ready", flush=True)
    time.sleep(60)
threading.Thread(target=other).start()
ctypes.CDLL(None).syscall(60 if platform.machine() == "x86_64" else 93, 0)  # exit(2)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert read_state(process.pid) == "Z" and not is_dying(process.pid)
        process.kill()
        wanted_s = time.monotonic() + 30
        while not is_dying(process.pid):
            assert time.monotonic() < wanted_s
        process.wait()


def test_a_kernel_that_lists_no_children_gets_a_whole_scan(proc: FakeProc) -> None:
    proc.put(7)
    proc.put(9, ppid=7)
    assert [each.pid for each in proc.table.scan_below(7)] == [7, 9]


def test_below_a_process_that_is_gone_there_is_nothing() -> None:
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    with pytest.raises(FileNotFoundError):
        descendants(ended.pid)
