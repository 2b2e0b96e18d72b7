"""What is asked about a job, or done to it, as it moves: seen once, and never lost on the way."""

from __future__ import annotations

import itertools
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.hosts.system import COMMAND_TIMEOUT_S, Ssi, eventually
from tests.hosts.test_live_migration import holder, slow_link

NODES = ("n1", "n2", "n3")
ENOUGH = 12
STANDS_STILL = 23

COUNTER = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
print("counts", flush=True)
for number in range(1, 10**6):
    signal.sigwaitinfo([signal.SIGRTMIN])
    print(number, flush=True)
"""
"""Signals of this kind are queued, so that each of them counts (signal(7))."""


@dataclass(slots=True)
class Journey:
    """Moves of one job: how many there were, and what was said of those that failed."""

    moves: int = 0
    failed: list[str] = field(default_factory=list)


@contextmanager
def on_the_move(ssi: Ssi, gpid: str, *options: str) -> Iterator[Journey]:
    """A job goes from node to node meanwhile."""
    ended, journey = threading.Event(), Journey()

    def move_on() -> None:
        for destination in itertools.cycle(("n2", "n3", "n1")):
            if ended.is_set():
                return
            run = subprocess.run(
                ssi.words("migrate", gpid, destination, *options),
                env=ssi.environment,
                capture_output=True,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
            )
            journey.moves += 1
            if run.returncode:
                journey.failed.append(run.stderr.decode())

    mover = threading.Thread(target=move_on)
    mover.start()
    try:
        yield journey
    finally:
        ended.set()
        mover.join(COMMAND_TIMEOUT_S)
    assert not mover.is_alive()


def send(ssi: Ssi, *words: str) -> None:
    """Does something to a job; where it stands still for too long, nothing was done."""
    while (told := ssi(*words)).status == STANDS_STILL:
        pass
    assert told.status == 0, told


def counter(ssi: Ssi) -> str:
    gpid = ssi.detached("n1", "python3", "-c", COUNTER)
    eventually(lambda: ssi.ok("logs", gpid) == "counts\n", what="it counts")
    return gpid


@pytest.mark.parametrize("options", [(), ("--live", "post")], ids=str)
def test_each_signal_reaches_a_job_that_moves_and_disturbs_no_move(
    ssi: Ssi, options: tuple[str, ...]
) -> None:
    gpid = counter(ssi)
    sent = 0
    with on_the_move(ssi, gpid, *options) as journey:
        while journey.moves < ENOUGH or sent <= ENOUGH:
            send(ssi, "kill", "-s", "RTMIN", gpid)
            send(ssi, "cont", gpid)  # which also CRIU uses for its purposes
            sent += 1
    assert journey.failed == []
    told = ["counts", *map(str, range(1, sent + 1))]
    eventually(lambda: ssi.ok("logs", gpid).split() == told, what="each has come, and none twice")
    ssi.ok("kill", "-9", gpid)


def test_a_job_that_moves_is_listed_once_by_all(ssi: Ssi) -> None:
    gpid = counter(ssi)
    with on_the_move(ssi, gpid) as journey:
        while journey.moves < ENOUGH:
            for listing in ("jobs", "ps"):
                rows = [row for row in ssi.json(listing) if str(row["gpid"]) == gpid]
                assert len(rows) == 1, (listing, rows)
            assert ssi.ok("logs", gpid) == "counts\n"
            ssi.ok("why", gpid)
    assert journey.failed == []
    ssi.ok("kill", "-9", gpid)


def test_two_who_move_a_job_at_once_are_both_served_or_told(ssi: Ssi) -> None:
    gpid = counter(ssi)
    with on_the_move(ssi, gpid) as journey:
        told = [ssi("migrate", gpid, node) for node in NODES * 4]
    said = [*journey.failed, *(each.err for each in told if each.status)]
    assert [each for each in said if "is on n" not in each] == [], "only that it is there already"
    assert ssi.job(gpid)["state"] == "running"
    ssi.ok("kill", "-9", gpid)


def test_a_job_whose_memory_is_on_its_way_can_be_killed(ssi: Ssi) -> None:
    gpid = holder(ssi, "random", 48)
    with slow_link(ssi.host("n1"), "20mbit"), ssi.start("migrate", gpid, "n2") as command:
        eventually(lambda: ssi.job(gpid)["state"] == "migrating", what="it is on its way")
        ssi.ok("kill", "-9", gpid)
        _out, error = command.communicate(timeout=COMMAND_TIMEOUT_S)
    assert command.returncode == 27
    assert b"it was killed; it has ended at n1" in error
    eventually(lambda: ssi.job(gpid)["state"] == "exited", what="it has ended")
    row = ssi.job(gpid)
    assert (row["exit_status"], row["node"]) == (137, "n1")


def test_a_job_that_stands_still_for_long_is_not_told_what_would_be_lost(ssi: Ssi) -> None:
    gpid = holder(ssi, "random", 48)
    with slow_link(ssi.host("n1"), "20mbit"), ssi.start("migrate", gpid, "n2") as command:
        eventually(lambda: ssi.job(gpid)["state"] == "migrating", what="it is on its way")
        told = ssi("kill", gpid)
        _out, error = command.communicate(timeout=COMMAND_TIMEOUT_S)
    assert (command.returncode, error) == (0, b"")
    assert told.status == 23
    assert told.err == (
        f"ssi: job {gpid} on n1 is on its way to n2: nothing was done to it; "
        "try again once it goes on; `ssi kill -s KILL` ends it even now [job-stands-still]\n"
    )
    assert ssi.job(gpid)["state"] == "running"
    ssi.ok("kill", gpid)
    eventually(lambda: ssi.job(gpid)["exit_status"] == 143, what="it has had the second")


@pytest.mark.parametrize(("signal", "status"), [("TERM", 143), ("KILL", 137)])
def test_a_signal_ends_a_job_whose_memory_still_arrives_and_loses_it_not(
    ssi: Ssi, signal: str, status: int
) -> None:
    gpid = holder(ssi, "random", 48)
    with (
        slow_link(ssi.host("n1"), "40mbit"),
        ssi.start("migrate", gpid, "n2", "--live", "post") as command,
    ):
        eventually(lambda: ssi.job(gpid).get("node") == "n2", what="it is known to be there")
        assert all(row["name"] != "criu" for row in ssi.json("ps", "-j") if row["job"] == int(gpid))
        ssi.ok("kill", "-s", signal, gpid)
        eventually(lambda: ssi.job(gpid)["state"] == "exited", what="it has ended")
        _out, error = command.communicate(timeout=COMMAND_TIMEOUT_S)
    assert (command.returncode, error) == (0, b"")
    assert ssi.job(gpid)["exit_status"] == status
