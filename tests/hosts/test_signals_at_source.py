"""Signals of others, as of a ``kill`` at the source, to a job that just stands still there."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from nodeagent.migration.hold import Point
from ssi.lab import Host
from tests.hosts.moving import processes_of
from tests.hosts.striking import HOLDS, arm, move_held, stopped
from tests.hosts.system import COMMAND_TIMEOUT_S, Ssi, eventually
from tests.hosts.test_live_migration import slow_link

HEARER = """
import os, signal, sys, threading, time
heard = {signal.SIGUSR1, signal.SIGRTMIN, signal.SIGCHLD}
signal.pthread_sigmask(signal.SIG_BLOCK, heard)
memory = os.urandom(int(sys.argv[1]) << 20)
child = os.fork()
if child == 0:
    time.sleep(600)
threading.Thread(target=lambda: [time.sleep(0.005) for _ in range(10**6)], daemon=True).start()
print("child", child, flush=True)
while True:
    came = signal.sigwaitinfo(heard)
    if came.si_signo == signal.SIGCHLD:
        _pid, status = os.waitpid(child, 0)
        print("child ended by", os.WTERMSIG(status), flush=True)
    else:
        print(signal.Signals(came.si_signo).name, flush=True)
"""

NOT_RUN_S = 0.5
"""A copy that runs is seen to within a hundredth of it."""


def hearer(ssi: Ssi, mib: int = 0) -> tuple[str, str, str]:
    """A job that tells which signals it got: its gpid, its pid on n1, and that of its child."""
    gpid = ssi.detached("n1", "python3", "-c", HEARER, str(mib))
    eventually(lambda: ssi.ok("logs", gpid).startswith("child "), what="it hears")
    (child,) = (str(row["pid"]) for name, row in processes_of(ssi, gpid).items() if name != gpid)
    return gpid, pid_on(ssi, gpid), child


def pid_on(ssi: Ssi, gpid: str) -> str:
    """Of its first process, on its node."""
    return str(processes_of(ssi, gpid)[gpid]["pid"])


@pytest.fixture(scope="module")
def armed(ssi: Ssi) -> Ssi:
    arm(ssi, "n1")
    return ssi


@contextmanager
def held(ssi: Ssi, gpid: str, point: Point, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """The move of a job from n1 to n2 stands at that point, for which CRIU has read it."""
    host = ssi.host("n1")
    asked = Path(host.root, HOLDS, f"{gpid}.{point}")
    asked.touch()
    stands = asked.with_name(f"{asked.name}.held")
    with ssi.start("migrate", gpid, "n2", *options) as command:
        try:
            eventually(stands.exists, what="it is held")
            yield command
        finally:
            stands.unlink()
            command.wait(COMMAND_TIMEOUT_S)


@contextmanager
def standing_still(ssi: Ssi, gpid: str, point: Point, *options: str) -> Iterator[Host]:
    """As :func:`held`; at the end it has moved."""
    with held(ssi, gpid, point, *options) as command:
        yield ssi.host("n1")
    assert command.returncode == 0
    assert ssi.job(gpid)["node"] == "n2"


def waits_of(host: Host, pid: str) -> int:
    """How often the threads of a process have waited: each of them runs for that."""
    lines = host.enter("sh", "-c", f"cat /proc/{pid}/task/*/status").stdout.decode().splitlines()
    waits = [line.split()[1] for line in lines if line.startswith("voluntary_ctxt_switches:")]
    assert len(waits) == 2
    return sum(map(int, waits))


WAYS = [(Point.SOURCE_COMMIT,), (Point.SOURCE_RESTORE, "--live", "post")]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_signal_at_the_source_reaches_the_job_where_it_goes_on(
    armed: Ssi, way: tuple[Point, ...]
) -> None:
    gpid, leader, _child = hearer(armed)
    with standing_still(armed, gpid, *way) as host:
        send_three(host, leader)
    assert_heard_once(armed, gpid)
    armed.ok("kill", "-9", gpid)


def test_a_signal_at_the_source_reaches_it_once_its_move_is_out_of_doubt(armed: Ssi) -> None:
    gpid, leader, _child = hearer(armed)
    with ExitStack() as stack:
        with move_held(armed, gpid, "n2", "n1", Point.SOURCE_COMMIT) as command:
            send_three(armed.host("n1"), leader)
            stack.enter_context(stopped(armed, "n2"))
        _out, error = command.communicate(timeout=COMMAND_TIMEOUT_S)
        assert command.returncode == 28, error
    assert_heard_once(armed, gpid)
    armed.ok("kill", "-9", gpid)


def test_a_signal_to_what_only_holds_memory_reaches_the_job(armed: Ssi) -> None:
    gpid, leader, _child = hearer(armed, mib=16)
    host = armed.host("n1")
    with (
        slow_link(host, "20mbit"),
        armed.start("migrate", gpid, "n2", "--live", "post") as command,
    ):
        eventually(lambda: armed.job(gpid).get("node") == "n2", what="it is known to be there")
        send_three(host, leader)
        _out, error = command.communicate(timeout=COMMAND_TIMEOUT_S)
    assert (command.returncode, error) == (0, b"")
    assert_heard_once(armed, gpid)
    armed.ok("kill", "-9", gpid)


def send_three(host: Host, pid: str) -> None:
    for words in (["-USR1"], ["-q", "7", "-s", "RTMIN"], ["-q", "8", "-s", "RTMIN"]):
        sent = host.enter("kill", *words, pid)
        assert sent.returncode == 0, sent


def assert_heard_once(ssi: Ssi, gpid: str) -> None:
    eventually(lambda: len(ssi.ok("logs", gpid).splitlines()) >= 4, what="it has heard all")
    time.sleep(NOT_RUN_S)
    _first, *heard = ssi.ok("logs", gpid).splitlines()
    assert sorted(heard) == ["SIGRTMIN", "SIGRTMIN", "SIGUSR1"]


def test_a_kill_at_the_source_ends_it_where_it_goes_on(armed: Ssi) -> None:
    gpid, leader, child = hearer(armed)
    with standing_still(armed, gpid, Point.SOURCE_COMMIT) as host:
        host.enter("kill", "-9", child)
        host.enter("kill", leader)
    eventually(lambda: armed.job(gpid)["state"] == "exited", what="it has ended")
    assert (armed.job(gpid)["exit_status"], armed.job(gpid)["node"]) == (143, "n2")
    eventually(lambda: processes_of(armed, gpid) == {}, what="its child, too")


def test_a_child_that_is_killed_at_the_source_has_ended_at_the_destination(armed: Ssi) -> None:
    gpid, _leader, child = hearer(armed)
    with standing_still(armed, gpid, Point.SOURCE_COMMIT) as host:
        host.enter("kill", "-9", child)
    eventually(lambda: "child ended by 9" in armed.ok("logs", gpid), what="its parent knows")
    armed.ok("kill", "-9", gpid)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_sigcont_at_the_source_makes_no_second_one_run(
    armed: Ssi, way: tuple[Point, ...]
) -> None:
    gpid, leader, child = hearer(armed)
    with standing_still(armed, gpid, *way) as host:
        host.enter("kill", "-CONT", leader, child)
        before = waits_of(host, leader)
        time.sleep(NOT_RUN_S)
        assert waits_of(host, leader) == before
    before = waits_of(armed.host("n2"), pid_on(armed, gpid))
    eventually(lambda: waits_of(armed.host("n2"), pid_on(armed, gpid)) > before, what="it runs")
    armed.ok("kill", "-9", gpid)


def test_who_lost_its_parent_to_a_kill_at_the_source_is_not_left_stopped(armed: Ssi) -> None:
    gpid, leader, child = hearer(armed)
    with held(armed, gpid, Point.SOURCE_TRANSFER) as command:
        armed.host("n1").enter("kill", "-9", leader)
    assert command.returncode == 27
    assert armed.job(gpid)["exit_status"] == 137
    eventually(
        lambda: [row["state"] for row in processes_of(armed, gpid).values()] == ["S"],
        what="its child sleeps on, and stands not",
    )
    armed.host("n1").enter("kill", "-9", child)
    eventually(lambda: processes_of(armed, gpid) == {}, what="nothing is left")
