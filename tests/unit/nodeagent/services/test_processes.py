"""From a scan and the jobs to rows under gpids."""

from __future__ import annotations

import itertools

from nodeagent.mechanism.procfs import HostProcess
from nodeagent.services.members import Membership
from nodeagent.services.processes import (
    HeldJob,
    ScanTime,
    hide_commands,
    process_rows,
    select_rows,
)
from ssi.model.gpid import Gpid
from ssi.model.process import ProcessRow

BOOT_S = 1_000_000.0
TAKEN = ScanTime(wall_s=BOOT_S + 100, since_boot_s=100.0)


def process(pid: int, ppid: int = 1, *, start_ticks: int = 500, **changes: object) -> HostProcess:
    made = HostProcess(
        pid=pid,
        ppid=ppid,
        pgrp=pid,
        session=pid,
        tty="?",
        state="S",
        utime_ticks=0,
        stime_ticks=0,
        nice=0,
        threads=1,
        start_ticks=start_ticks,
        vsize_bytes=0,
        rss_bytes=0,
        uid=0,
        name="cat",
        command=("cat",),
    )
    return made._replace(**changes)  # type: ignore[arg-type]


class Node:
    """Node 3 with one job, 35000001, whose shim has pid 50; inner pids by hand."""

    def __init__(self) -> None:
        numbers = itertools.count(35_000_002)
        self.membership = Membership(lambda: Gpid(next(numbers)))
        self.membership.adopt([(101, 35_000_001, 1_000_005_123)])
        self.jobs = [HeldJob(gpid=35_000_001, shim_pid=50, membership=self.membership)]
        self.pids: dict[int, tuple[int, ...]] = {50: (50, 1), 60: (60, 101), 61: (61, 102)}

    def rows(self, *scan: HostProcess) -> dict[int, ProcessRow]:
        """The rows by pid."""
        rows = process_rows(
            scan,
            self.jobs,
            node_number=3,
            taken=TAKEN,
            namespace_pids=lambda pid, _: self.pids.get(pid, ()),
            user_name=lambda uid: {0: "root", 1000: "ada"}[uid],
        )
        assert [row.gpid for row in rows] == sorted(row.gpid for row in rows)
        return {row.pid: row for row in rows}


INIT = process(1, 0, start_ticks=0)
SHIM = process(50, 1, name="ssi-shim")
ROOT = process(60, 50, uid=1000, session=60, pgrp=60)


def test_host_process_is_named_by_its_pid_and_identified_by_ms_since_boot() -> None:
    row = Node().rows(INIT, process(42, start_ticks=512))[42]
    assert (row.gpid, row.parent_gpid, row.job) == (30_000_042, 30_000_001, 0)
    assert row.start_ms == 5120
    assert row.started_at_s == BOOT_S + 5.12
    assert (row.session_gpid, row.group_gpid) == (30_000_042, 30_000_042)


def test_shim_in_reserve_is_left_out_and_nothing_that_only_bears_its_name() -> None:
    keeper = process(30, 1, name="ssi-keeper")
    spare, false = process(31, 30, name="ssi-spare"), process(32, 1, name="ssi-spare")
    assert set(Node().rows(INIT, keeper, spare, false, SHIM)) == {1, 30, 32, 50}


def test_session_of_a_leader_that_has_ended_keeps_its_name() -> None:
    row = Node().rows(INIT, process(42, session=41, pgrp=40))[42]
    assert (row.session_gpid, row.group_gpid) == (30_000_041, 30_000_040)


def test_kernel_thread_has_no_session_and_no_parent() -> None:
    row = Node().rows(process(2, 0, session=0, pgrp=0))[2]
    assert (row.parent_gpid, row.session_gpid, row.group_gpid) == (0, 0, 0)


def test_cpu_percent_is_over_the_lifetime() -> None:
    row = Node().rows(process(42, start_ticks=5000, utime_ticks=2000, stime_ticks=500))[42]
    assert (row.cpu_s, row.cpu_percent) == (25.0, 50.0)


def test_process_that_started_in_this_very_moment_has_a_cpu_share_of_zero() -> None:
    assert Node().rows(process(42, start_ticks=10_001))[42].cpu_percent == 0.0


def test_job_process_has_the_name_of_its_birth_and_hangs_from_nobody() -> None:
    row = Node().rows(INIT, SHIM, ROOT)[60]
    assert (row.gpid, row.pid, row.job) == (35_000_001, 60, 35_000_001)
    assert (row.start_ms, row.started_at_s) == (1_000_005_123, 1_000_005.123)
    assert (row.parent_gpid, row.session_gpid) == (0, 35_000_001)
    assert row.user == "ada"


def test_shim_is_a_process_of_the_host() -> None:
    row = Node().rows(INIT, SHIM, ROOT)[50]
    assert (row.gpid, row.job, row.parent_gpid) == (30_000_050, 0, 30_000_001)


def test_criu_of_a_shim_is_a_process_of_the_host_from_its_fork_on() -> None:
    node = Node()
    node.pids[62] = (62, 2)
    unborn = process(62, 50, name="ssi-shim", command=("ssi-keeper",))
    nameless = process(62, 50, name="criu", command=())
    waiting = process(62, 50, name="criu", command=("/usr/sbin/criu", "swrk", "9"))
    busy = process(62, 50, name="criu", command=("criu: dump --rpc -t 101",))
    serving = process(62, 50, name="criu", command=("/usr/sbin/criu", "lazy-pages", "-v"))
    for own in (unborn, nameless, waiting, busy, serving):
        row = node.rows(INIT, SHIM, ROOT, own)[62]
        assert (row.gpid, row.job) == (30_000_062, 0)


def test_criu_that_a_user_runs_is_of_the_job() -> None:
    node = Node()
    node.pids[62] = (62, 103)
    run = process(62, 50, name="criu", command=("criu", "check"))
    below = process(61, 60, name="criu", command=("criu", "swrk", "3"))
    rows = node.rows(INIT, SHIM, ROOT, below, run)
    assert [rows[pid].job for pid in (61, 62)] == [35_000_001, 35_000_001]


def test_child_of_a_job_is_named_at_first_sight_below_its_parent() -> None:
    row = Node().rows(INIT, SHIM, ROOT, process(61, 60, session=60, pgrp=60))[61]
    assert (row.gpid, row.job) == (35_000_002, 35_000_001)
    assert (row.parent_gpid, row.session_gpid, row.group_gpid) == (35_000_001,) * 3
    assert row.start_ms == 1_000_005_000


def test_orphan_that_the_shim_took_over_still_belongs_to_the_job() -> None:
    node = Node()
    node.rows(INIT, SHIM, ROOT, process(61, 60))
    row = node.rows(INIT, SHIM, process(61, 50))[61]
    assert (row.gpid, row.job, row.parent_gpid) == (35_000_002, 35_000_001, 0)


def test_job_process_in_a_deeper_namespace_is_known_by_its_pid_in_the_job() -> None:
    node = Node()
    node.pids |= {61: (61, 102, 1), 62: (62, 103, 1)}
    rows = node.rows(INIT, SHIM, ROOT, process(61, 60), process(62, 60))
    assert (rows[61].gpid, rows[62].gpid) == (35_000_002, 35_000_003)
    assert node.membership.export()[1][0] == 102


def test_job_without_namespaces_is_known_by_pids_of_the_host() -> None:
    node = Node()
    node.pids = {50: (50,), 60: (60,)}
    node.membership.adopt([(60, 35_000_001, 7)])
    assert node.rows(INIT, SHIM, ROOT)[60].gpid == 35_000_001


def test_process_that_ends_while_its_inner_pid_is_read_gets_no_name() -> None:
    node = Node()
    del node.pids[61]
    row = node.rows(INIT, SHIM, ROOT, process(61, 60))[61]
    assert (row.gpid, row.job) == (30_000_061, 0)
    assert node.membership.export() == ((101, 35_000_001, 1_000_005_123),)


def test_job_within_a_job_keeps_its_processes_to_itself() -> None:
    node = Node()
    inner = Membership(lambda: Gpid(35_000_900))
    node.jobs.append(HeldJob(gpid=35_000_800, shim_pid=70, membership=inner))
    node.pids |= {70: (70, 1), 71: (71, 5)}
    rows = node.rows(INIT, SHIM, ROOT, process(70, 60), process(71, 70))
    assert (rows[71].gpid, rows[71].job) == (35_000_900, 35_000_800)
    assert rows[60].job == 35_000_001


def test_shim_that_is_gone_leaves_the_table_whole() -> None:
    assert list(Node().rows(INIT, process(42))) == [1, 42]


def test_others_arguments_are_hidden_from_users_but_not_from_root() -> None:
    node = Node()
    rows = list(node.rows(INIT, SHIM, ROOT).values())
    seen = {row.pid: row.command for row in hide_commands(rows, "ada")}
    assert seen == {1: (), 50: (), 60: ("cat",)}
    assert [row.name for row in hide_commands(rows, "ada")] == ["cat", "ssi-shim", "cat"]
    assert hide_commands(rows, "root") == rows


def test_rows_are_selected_by_gpid_and_by_being_of_a_job() -> None:
    rows = list(Node().rows(INIT, SHIM, ROOT).values())
    assert [row.pid for row in select_rows(rows, jobs=True)] == [60]
    assert [row.pid for row in select_rows(rows, gpids=(30_000_050,))] == [50]
    assert select_rows(rows) == rows


def test_ten_thousand_processes_of_one_job_in_one_chain_are_all_named() -> None:
    node = Node()
    chain = [process(pid, pid - 1) for pid in range(60, 10_060)]
    chain[0] = ROOT
    node.pids |= {pid: (pid, pid + 41) for pid in range(60, 10_060)}
    rows = node.rows(INIT, SHIM, *chain)
    assert sum(row.job == 35_000_001 for row in rows.values()) == 10_000
    assert rows[10_059].parent_gpid == rows[10_058].gpid
