"""Step by fault: whatever is struck at whatever step of a move, one copy runs and nothing is left.

One blow strikes many moves at once, each held at another step, and both those that leave the host
and those that come to it. By default a dense part of the table; ``--whole-table`` does all of it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nodeagent.migration.hold import Point
from ssi.lab import Host
from tests.hosts.striking import (
    CUT_S,
    Cell,
    Round,
    answers,
    arm,
    criu_at,
    full,
    kill_criu,
    pids_of,
    standing_criu,
)
from tests.hosts.system import Ssi, eventually, pid_of

WAYS = [("n1", "n2"), ("n2", "n1")]
"""The blow strikes n1: the source of the first, the destination of the second."""

STEPS: list[Point] = [point for point in Point if point is not Point.SOURCE_AHEAD]
"""Those of every move; one of which memory goes ahead is struck in ``test_pre_copy``."""

DENSE = [
    Point.SOURCE_TRANSFER,
    Point.SOURCE_COMMIT,
    Point.SOURCE_RESUME,
    Point.SOURCE_LET_GO,
    Point.DESTINATION_RESTORE,
    Point.DESTINATION_READY,
    Point.DESTINATION_RUNS,
]

PLEDGED = {
    Point.SOURCE_COMMIT,
    Point.SOURCE_RESUME,
    Point.SOURCE_LET_GO,
    Point.DESTINATION_RESUME,
    Point.DESTINATION_RUNS,
}
"""Where the source has noted that the job is the destination's."""

OWNED = {Point.SOURCE_LET_GO, Point.DESTINATION_RUNS}
"""Where the job has run at the destination."""


@pytest.fixture(scope="module")
def armed(ssi: Ssi) -> Iterator[Ssi]:
    for node in ("n1", "n2"):
        arm(ssi, node)
    yield ssi


def nobody_had_it(_cell: Cell) -> bool:
    return False


def had_by_n1(cell: Cell) -> bool:
    """Whether the machine of n1 was what held the job when it died."""
    if cell.source == "n1":
        return cell.point not in PLEDGED
    return cell.point in OWNED


def agent(ssi: Ssi, cells: Round) -> None:
    old = pid_of(ssi.host("n1"), "agent")
    ssi.host("n1").enter("kill", "-KILL", str(old))
    cells.let_go()
    eventually(lambda: answers(ssi, "n1", old), what="the agent is back")


def keeper(ssi: Ssi, cells: Round) -> None:
    old = pid_of(ssi.host("n1"), "keeper")
    ssi.host("n1").enter("kill", "-KILL", str(old))
    cells.let_go()
    eventually(lambda: pid_of(ssi.host("n1"), "keeper") != old, what="a keeper")


def criu(ssi: Ssi, cells: Round) -> None:
    """Kills every CRIU of n1: those that hold a job at its barrier there."""
    kill_criu(ssi.host("n1"))
    cells.let_go()


def link(ssi: Ssi, cells: Round) -> None:
    ssi.host("n1").cut()
    time.sleep(1.0)
    cells.let_go()
    time.sleep(CUT_S)
    ssi.host("n1").heal()
    eventually(lambda: ssi.states()["n1"] == "alive", what="n1 is back")


def node(ssi: Ssi, cells: Round) -> None:
    ssi.host("n1").kill()
    cells.let_go()
    ssi.host("n1").boot()
    ssi.ok("up", "n1")
    eventually(lambda: ssi.states()["n1"] == "alive", what="n1 is back")
    arm(ssi, "n1")


def memory(ssi: Ssi, cells: Round) -> None:
    """The file system with images and sockets is full on n1."""
    with full(ssi.host("n1"), "/run"):
        cells.let_go()
        for cell in cells.cells:
            eventually(cell.has_told, what=f"{cell} is told of")


def disk(ssi: Ssi, cells: Round) -> None:
    """The file system with the records of jobs is full on n1."""
    with full(ssi.host("n1"), "/var/lib/ssi/jobs"):
        cells.let_go()
        for cell in cells.cells:
            eventually(cell.has_told, what=f"{cell} is told of")


def client(_ssi: Ssi, cells: Round) -> None:
    for cell in cells.cells:
        assert cell.client is not None
        cell.client.kill()
    cells.let_go()


Blow = Callable[[Ssi, Round], None]


def strike(ssi: Ssi, blow: Blow, points: list[Point], ways: list[tuple[str, str]]) -> None:
    cells = Round(ssi)
    try:
        cells.begin(ways, points)
        blow(ssi, cells)
        wrong = cells.finish(had_by_n1 if blow is node else nobody_had_it)
        assert not wrong, "\n".join(wrong)
    finally:
        cells.clear()
        eventually(lambda: no_job_left(ssi), what="all jobs have ended")


def no_job_left(ssi: Ssi) -> bool:
    rows = ssi.json("jobs")
    return all(row["state"] in {"exited", "lost"} for row in rows)


@pytest.mark.parametrize("blow", [agent, link, node])
def test_one_copy_runs_after_a_blow_at_any_of_the_main_steps(armed: Ssi, blow: Blow) -> None:
    strike(armed, blow, DENSE, WAYS)


def writes_memory(cell: Cell) -> bool:
    """Whether CRIU is past what it has the processes do, and at what takes long."""
    images = Path(cell.ssi.host(cell.source).root, "run/ssi/images").glob(f"{cell.gpid}-*/pages-*")
    return sum(image.stat().st_size for image in images) > 1 << 20


def restores(cell: Cell) -> bool:
    return any(
        criu_at(pid).startswith(b"restore") for pid in pids_of(cell.ssi.host(cell.destination))
    )


ATTEMPTS = 5
"""To meet a CRIU that is at work for a few tenths of a second."""


@pytest.mark.parametrize(
    ("verb", "at", "is_at_work"), [(b"dump", "n1", writes_memory), (b"restore", "n2", restores)]
)
def test_a_criu_that_is_killed_in_the_middle_lets_the_job_run_on(
    ssi: Ssi, verb: bytes, at: str, is_at_work: Callable[[Cell], bool]
) -> None:
    for _attempt in range(ATTEMPTS):
        if killed_at_work(ssi, verb, at, is_at_work):
            return
    pytest.fail("each of these moves was over before it was seen")


def killed_at_work(ssi: Ssi, verb: bytes, at: str, is_at_work: Callable[[Cell], bool]) -> bool:
    """Whether a move was met there; then all that must hold after it did."""
    cells = Round(ssi)
    try:
        cells.begin_free("n1", "n2", memory_mib=300)
        (cell,) = cells.cells
        eventually(
            lambda: is_at_work(cell) or cell.has_told(), what="criu is at work", every_s=0.005
        )
        if not kill_criu(ssi.host(at), verb):
            return False
        wrong = cells.finish(nobody_had_it)
        assert not wrong, "\n".join(wrong)
        assert cell.outcome == 27, cell.words
        assert "runs on at n1" in cell.words
        return True
    finally:
        cells.clear()


def test_a_job_that_ends_while_it_is_dumped_is_not_said_to_run_on(ssi: Ssi) -> None:
    cells = Round(ssi)
    try:
        cells.begin_free("n1", "n2", memory_mib=300)
        (cell,) = cells.cells
        eventually(lambda: writes_memory(cell), what="criu is at work", every_s=0.005)
        with standing_criu(ssi.host("n1"), b"dump"):
            ssi.ok("kill", "-s", "KILL", cell.gpid)
        assert cell.client is not None
        out, err = cell.client.communicate(timeout=60)
        assert cell.client.returncode == 27, (out, err)
        assert b"it has ended at n1" in err
        assert ssi("wait", cell.gpid).status == 137, "it may still be about to end"
        row = next(row for row in ssi.json("jobs") if str(row["gpid"]) == cell.gpid)
        assert (row["state"], row["exit_status"]) == ("exited", 137)
    finally:
        cells.clear()


@pytest.mark.parametrize("delay_ms", [0, 4, 8, 12])
def test_what_is_told_is_true_wherever_a_criu_that_dumps_is_killed(ssi: Ssi, delay_ms: int) -> None:
    """It may have put a trap into the job that only it can take out again; then that ends."""
    cells = Round(ssi)
    try:
        cells.begin_free("n1", "n2", memory_mib=50)
        (cell,) = cells.cells
        eventually(
            lambda: kill_later(ssi.host("n1"), delay_ms / 1000) or cell.has_told(),
            what="criu is at work",
            every_s=0.001,
        )
        assert cell.client is not None
        out, err = cell.client.communicate(timeout=60)
        words = (out + err).decode()
        if "it has ended" in words:
            ssi("wait", cell.gpid)  # it may still be about to
        row = next(row for row in ssi.json("jobs") if str(row["gpid"]) == cell.gpid)
        if cell.client.returncode == 0:
            assert (row["state"], row["node"]) == ("running", "n2"), words
        elif "runs on at n1" in words:
            assert (row["state"], row["node"]) == ("running", "n1"), words
            eventually(lambda: cell.goes_on("n1"), what="it goes on")
            ssi.ok("migrate", cell.gpid, "n2")  # and it can be dumped after all
        else:
            assert "it has ended at n1" in words
            assert (row["state"], row["exit_status"]) == ("exited", 128 + signal.SIGTRAP)
    finally:
        cells.clear()


def kill_later(host: Host, delay_s: float) -> int:
    """Kills a CRIU there that has begun to dump, that long after it was seen."""
    if not any(criu_at(pid).startswith(b"dump") for pid in pids_of(host)):
        return 0
    time.sleep(delay_s)
    return kill_criu(host, b"dump")


@pytest.mark.whole_table
@pytest.mark.parametrize("way", WAYS, ids=["at the source", "at the destination"])
@pytest.mark.parametrize("blow", [agent, keeper, criu, link, node, memory, disk, client])
def test_one_copy_runs_after_any_blow_at_any_step(
    armed: Ssi, blow: Blow, way: tuple[str, str]
) -> None:
    host = armed.host("n1")
    if blow is disk:
        assert host.enter("mount", "-t", "tmpfs", "x", "/var/lib/ssi/jobs").returncode == 0
    try:
        strike(armed, blow, STEPS, [way])
    finally:
        if blow is disk:
            host.enter("umount", "/var/lib/ssi/jobs")
