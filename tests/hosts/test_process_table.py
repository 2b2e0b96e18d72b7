"""Jobs in the process table, with real pid namespaces: a shell as pid 1 stands for the shim."""

from __future__ import annotations

import itertools
import os
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from nodeagent.mechanism.procfs import ProcessTable
from nodeagent.services.members import Membership
from nodeagent.services.processes import HeldJob, ScanTime, process_rows
from ssi.model.gpid import Gpid
from ssi.model.process import ProcessRow
from tests.hosts.system import PATIENCE_S

JOB = 15_000_001


class Shim:
    """A shell that is pid 1 of a pid namespace and runs one line at a time in the background."""

    def __init__(self) -> None:
        self.outer = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "sh"], stdin=subprocess.PIPE
        )
        numbers = itertools.count(JOB)
        self.membership = Membership(lambda: Gpid(next(numbers)))
        self.table = ProcessTable()

    def start(self, line: str) -> None:
        assert self.outer.stdin is not None
        self.outer.stdin.write(f"{line}\n".encode())
        self.outer.stdin.flush()

    def rows(self) -> list[ProcessRow]:
        """All processes of this machine."""
        scan = self.table.scan()
        pid = next((p.pid for p in scan if p.ppid == self.outer.pid), 0)
        return process_rows(
            scan,
            [HeldJob(gpid=JOB, shim_pid=pid, membership=self.membership)] if pid else [],
            node_number=1,
            taken=ScanTime(
                wall_s=time.time(), since_boot_s=time.clock_gettime(time.CLOCK_BOOTTIME)
            ),
            namespace_pids=self.table.namespace_pids,
            user_name=str,  # uids of labs have no name here
        )

    def job(self) -> list[ProcessRow]:
        """Its processes, by gpid."""
        return [row for row in self.rows() if row.job]

    def wait_for(self, done: Callable[[list[ProcessRow]], bool]) -> list[ProcessRow]:
        """The processes of the job once they are as expected."""
        give_up_at_s = time.monotonic() + PATIENCE_S
        while not done(rows := self.job()):
            assert time.monotonic() < give_up_at_s, rows
            time.sleep(0.02)
        return rows

    def end(self) -> None:
        self.outer.kill()
        self.outer.communicate()


@pytest.fixture
def shim(machine: None) -> Iterator[Shim]:
    made = Shim()
    try:
        yield made
    finally:
        made.end()


def names(rows: list[ProcessRow]) -> list[str]:
    return [" ".join(row.command) for row in rows]


def test_child_forked_later_joins_the_job_under_a_name_of_its_own(shim: Shim) -> None:
    shim.start("sleep 901 &")
    (first,) = shim.wait_for(lambda rows: names(rows) == ["sleep 901"])
    shim.start("sleep 902 &")
    rows = shim.wait_for(lambda rows: names(rows) == ["sleep 901", "sleep 902"])
    assert [row.gpid for row in rows] == [JOB, JOB + 1]
    assert (rows[0].gpid, rows[0].start_ms) == (first.gpid, first.start_ms)
    assert {inner for inner, _, _ in shim.membership.export()} <= set(range(2, 100))


def test_orphan_stays_in_the_job_and_hangs_from_nobody(shim: Shim) -> None:
    shim.start("sh -c 'sleep 903 & sleep 904; :' &")
    rows = shim.wait_for(lambda rows: len(rows) == 3 and "sleep 903" in names(rows))
    orphan = next(row for row in rows if row.command == ("sleep", "903"))
    parent = next(row for row in rows if row.gpid == orphan.parent_gpid)
    os.kill(parent.pid, 9)
    rows = shim.wait_for(
        lambda rows: any(r.command == ("sleep", "903") and not r.parent_gpid for r in rows)
    )
    again = next(row for row in rows if row.command == ("sleep", "903"))
    assert (again.gpid, again.job, again.parent_gpid) == (orphan.gpid, JOB, 0)


def test_new_session_cannot_leave_the_job(shim: Shim) -> None:
    shim.start("setsid sleep 905 &")
    (row,) = shim.wait_for(lambda rows: names(rows) == ["sleep 905"])
    assert row.session_gpid == row.gpid


def test_process_in_a_namespace_that_the_job_made_is_known_by_its_pid_in_the_job(
    shim: Shim,
) -> None:
    shim.start("unshare --pid --fork sleep 906 &")
    shim.start("unshare --pid --fork sleep 907 &")
    rows = shim.wait_for(lambda rows: sum(row.command[:1] == ("sleep",) for row in rows) == 2)
    assert len({row.gpid for row in rows}) == 4
    assert len({inner for inner, _, _ in shim.membership.export()}) == 4


def test_end_of_a_process_ends_its_membership(shim: Shim) -> None:
    shim.start("sleep 908 &")
    (row,) = shim.wait_for(lambda rows: names(rows) == ["sleep 908"])
    os.kill(row.pid, 9)
    shim.start("wait")
    shim.wait_for(lambda rows: rows == [])
    assert shim.membership.export() == ()


def test_shim_and_processes_of_the_host_belong_to_no_job(shim: Shim) -> None:
    shim.start("sleep 909 &")
    shim.wait_for(lambda rows: names(rows) == ["sleep 909"])
    own = next(row for row in shim.rows() if row.pid == os.getpid())
    assert (own.gpid, own.job) == (10_000_000 + os.getpid(), 0)
    held = next(row for row in shim.rows() if row.parent_gpid == 10_000_000 + shim.outer.pid)
    assert (held.command, held.job, held.gpid) == (("sh",), 0, 10_000_000 + held.pid)
