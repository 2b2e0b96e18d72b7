"""Threads as rows after their processes."""

from __future__ import annotations

from nodeagent.mechanism.procfs import TICKS_PER_SECOND
from nodeagent.mechanism.threads import HostThread
from nodeagent.services.processes import ScanTime
from nodeagent.services.threads import rows_with_threads
from ssi.model.process import ProcessRow
from ssi.view.threads import with_commands
from tests.unit.view.samples import process

TAKEN = ScanTime(wall_s=2_000_000.0, since_boot_s=1000.0)


def thread(tid: int, **changes: object) -> HostThread:
    made = HostThread(
        tid=tid,
        name="io",
        state="R",
        nice=5,
        utime_ticks=9 * TICKS_PER_SECOND,
        stime_ticks=TICKS_PER_SECOND,
        start_ticks=900 * TICKS_PER_SECOND,
    )
    return made._replace(**changes)  # type: ignore[arg-type]


def rows(*processes: ProcessRow) -> list[ProcessRow]:
    return rows_with_threads(processes, lambda pid: [thread(pid + 1)], node_number=3, taken=TAKEN)


def test_each_process_is_followed_by_its_threads() -> None:
    job = process(gpid=15000001, pid=60, job=15000001, threads=2)
    made = rows(process(gpid=30000042, pid=42, threads=2), job)
    assert [row.gpid for row in made] == [30000042, 30000043, 15000001, 30000061]
    assert [row.thread_of for row in made] == [0, 30000042, 0, 15000001]
    assert (made[3].parent_gpid, made[3].job, made[3].pid, made[3].tid) == (
        15000001,
        15000001,
        60,
        61,
    )


def test_a_thread_has_its_own_name_state_and_cpu_time() -> None:
    made = rows(process(threads=2))[1]
    assert (made.name, made.state, made.nice, made.cpu_s) == ("io", "R", 5, 10.0)
    assert made.cpu_percent == 10.0, "of the 100 s that it has lived"
    assert (made.start_ms, made.started_at_s) == (900_000, TAKEN.wall_s - 100)
    assert made.user == process().user


def test_a_process_of_one_thread_is_not_looked_into() -> None:
    looked: list[int] = []

    def read(pid: int) -> list[HostThread]:
        looked.append(pid)
        return []

    one = process(threads=1)
    assert rows_with_threads([one], read, node_number=1, taken=TAKEN) == [one]
    assert looked == []


def test_arguments_cross_once_and_are_shown_with_every_thread() -> None:
    made = rows(process(threads=2))
    assert made[1].command == ()
    assert with_commands(made)[1].command == process().command
    assert with_commands(made[1:], {made[0].gpid: ("known",)}.__getitem__)[0].command == ("known",)
