"""Nodes that are emptied, jobs that are frozen, and what is told before anything is touched."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest

from tests.hosts.system import COMMAND_TIMEOUT_S, Ssi, eventually

COUNT = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done"
STUCK = "mkfifo /srv/stuck.$$; exec 5<>/srv/stuck.$$; rm /srv/stuck.$$; echo stuck; sleep 300"
"""A job that cannot move: its named pipe has no name any more."""

STARTS = """
import os, subprocess, sys, time
fifo = sys.argv[1]
os.mkfifo(fifo)
if "fed" in sys.argv:
    subprocess.Popen(["sh", "-c", 'while :; do sleep 0.04; : >"$0"; done', fifo])
print("begun", flush=True)
reads_first = [(os.POSIX_SPAWN_OPEN, 0, fifo, os.O_RDONLY, 0)]
while True:
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}, file_actions=reads_first), 0)
    time.sleep(0.02)
"""
"""It stands in vfork(2) about half of the time, or, where nobody feeds its pipe, for ever."""


@pytest.fixture(autouse=True)
def left_as_found(ssi: Ssi) -> Iterator[None]:
    """No job of a test is left, and no cordon."""
    yield
    for row in ssi.json("jobs"):
        if row["state"] not in {"exited", "lost"}:
            ssi("kill", "-KILL", str(row["gpid"]))
    ssi.ok("uncordon", "n1..n3")


def files_of(ssi: Ssi, node: str) -> bytes:
    """All that a preflight could have left behind."""
    listing = "ls -AR /run/ssi/images /srv 2>&1; find /srv -type f -exec md5sum {} +"
    return bytes(ssi.host(node).run("sh", "-c", listing).stdout)


def test_a_dry_run_names_every_blocker_of_both_ends_and_touches_nothing(ssi: Ssi) -> None:
    for node in ("n1", "n2"):
        ssi.host(node).run("sh", "-c", "rm -rf /srv/dry; mkdir -p /srv/dry")
    ssi.host("n2").run("sh", "-c", "echo precious > /srv/dry/log")
    ssi.host("n1").run("mkfifo", "/srv/dry/pipe")
    other = ssi.detached("n1", "sh", "-c", "exec 6<>/srv/dry/pipe; echo open; sleep 300")
    eventually(lambda: "open" in ssi.ok("logs", other), what="the other end is open")
    script = f"exec 5>/srv/dry/log 6<>/srv/dry/pipe; {COUNT}"
    gpid = ssi.detached("n1", "sh", "-c", script)
    eventually(lambda: "3" in ssi.ok("logs", gpid), what="it counts")
    before = files_of(ssi, "n1"), files_of(ssi, "n2")
    result = ssi("migrate", "--dry-run", gpid, "n2", "--json")
    assert result.status == 26, result
    told = {line["node"]: line["reason"] for line in ssi_blockers(result.out)}
    assert "/srv/dry/pipe is a named pipe, whose other end would stay behind" in told["n1"]
    assert "/srv/dry/log: another file of that name is there" in told["n2"]
    assert (files_of(ssi, "n1"), files_of(ssi, "n2")) == before
    assert (ssi.job(gpid)["state"], ssi.job(gpid)["node"]) == ("running", "n1")
    real = ssi("migrate", gpid, "n2")
    assert real.status == 26, "the real move finds the same, and before it touches the job"
    assert "/srv/dry/pipe" in real.err
    assert "/srv/dry/log" in real.err


def ssi_blockers(out: str) -> list[dict[str, str]]:
    return [blocker for checked in json.loads(out) for blocker in checked["blockers"]]


def test_what_a_dry_run_lets_pass_moves(ssi: Ssi) -> None:
    ssi.host("n1").run("rm", "-rf", "/srv/free")
    script = f"mkdir -p /srv/free; exec 5>/srv/free/log; {COUNT}"
    gpid = ssi.detached("n1", "sh", "-c", script)
    eventually(lambda: "3" in ssi.ok("logs", gpid), what="it counts")
    assert "can move" in ssi.ok("migrate", "--dry-run", gpid, "n2")
    assert ssi.host("n2").run("ls", "/srv/free").returncode != 0, "nothing was staged"
    ssi.ok("migrate", gpid, "n2")
    assert ssi.job(gpid)["node"] == "n2"
    ssi.ok("kill", gpid)


def test_a_frozen_job_stands_still_and_arrives_frozen(ssi: Ssi) -> None:
    gpid = ssi.detached("n1", "sh", "-c", COUNT)
    eventually(lambda: "3" in ssi.ok("logs", gpid), what="it counts")
    ssi.ok("freeze", gpid)
    assert ssi.job(gpid)["state"] == "frozen"
    eventually(lambda: ssi.ok("logs", gpid) == ssi.ok("logs", gpid), what="it stands still")
    ssi.ok("migrate", gpid, "n2")
    assert (ssi.job(gpid)["state"], ssi.job(gpid)["node"]) == ("frozen", "n2")
    still = ssi.ok("logs", gpid)
    assert ssi.ok("logs", gpid) == still
    ssi.ok("thaw", gpid)
    assert ssi.job(gpid)["state"] == "running"
    eventually(lambda: len(ssi.ok("logs", gpid)) > len(still), what="it goes on")
    ssi.ok("freeze", gpid)
    ssi.ok("kill", "-KILL", gpid)
    assert ssi("wait", "--timeout", "60", gpid).status == 137, "a frozen job can be killed"
    lines = [int(line) for line in ssi.ok("logs", gpid).split()]
    assert lines == list(range(1, len(lines) + 1))


def test_a_job_that_is_starting_a_program_is_not_frozen_in_the_midst_of_it(ssi: Ssi) -> None:
    ssi.host("n1").run("rm", "-f", "/srv/fed", "/srv/unfed")
    fed = ssi.detached("n1", "python3", "-c", STARTS, "/srv/fed", "fed")
    eventually(lambda: "begun" in ssi.ok("logs", fed), what="it starts programs")
    for _ in range(6):
        ssi.ok("freeze", fed)
        rows = [row for row in ssi.json("ps", "-j", "-n", "n1") if str(row["job"]) == fed]
        if "D" in {row["state"] for row in rows}:  # it had no moment left in which to look again
            ssi.ok("thaw", fed)
            ssi.ok("freeze", fed)
            rows = [row for row in ssi.json("ps", "-j", "-n", "n1") if str(row["job"]) == fed]
        assert len(rows) >= 2, rows
        assert "D" not in {row["state"] for row in rows}, rows
        ssi.ok("thaw", fed)
    ssi.ok("kill", "-KILL", fed)
    unfed = ssi.detached("n1", "python3", "-c", STARTS, "/srv/unfed")
    eventually(lambda: ssi.job(unfed)["processes"] == 2, what="it begins to start a program")
    result = ssi("migrate", unfed, "n2")
    assert result.status == 26, result
    assert "waits in vfork(2) until its child" in result.err
    assert ssi.job(unfed)["state"] == "running"


def test_placement_passes_a_cordoned_node_over_unless_it_is_named(ssi: Ssi) -> None:
    ssi.ok("cordon", "n1,n2")
    rows = {row["name"]: row["metrics"]["cordoned"] for row in ssi.json("nodes")}
    assert rows == {"n1": True, "n2": True, "n3": False}
    assert {ssi.ok("run", "--", "hostname") for _ in range(3)} == {"n3\n"}
    assert ssi.ok("run", "-n", "n1", "--", "hostname") == "n1\n"


def test_a_drained_node_is_empty_but_for_what_cannot_move(ssi: Ssi) -> None:
    gpids = [ssi.detached("n1", "sh", "-c", COUNT) for _ in range(5)]
    stuck = ssi.detached("n1", "sh", "-c", STUCK)
    eventually(lambda: "stuck" in ssi.ok("logs", stuck), what="it is stuck")
    result = ssi("drain", "n1")
    assert result.status == 29, result
    assert [line.split()[0] for line in result.out.splitlines()] == [stuck]
    assert "is a named pipe" in result.out
    homes = {str(row["gpid"]): row["node"] for row in ssi.json("jobs")}
    assert homes[stuck] == "n1"
    assert {homes[gpid] for gpid in gpids} == {"n2", "n3"}, "they spread, and none stays"
    ssi.ok("kill", "-KILL", stuck)
    assert ssi("wait", "--timeout", "60", stuck).status == 137
    assert ssi("drain", "n1").status == 0, "it goes on, and ends"
    for gpid in gpids:
        ssi.ok("kill", gpid)
        ssi("wait", gpid)
        lines = [int(line) for line in ssi.ok("logs", gpid).split()]
        assert lines == list(range(1, len(lines) + 1))


def test_an_interrupted_drain_finishes_its_moves_and_is_resumed(ssi: Ssi) -> None:
    gpids = {ssi.detached("n1", "sleep", "300") for _ in range(30)}  # not over before the signal
    with ssi.start("drain", "-j", "1", "n1") as command:
        assert command.stderr is not None
        assert b" n1 -> " in command.stderr.readline()
        command.send_signal(signal.SIGINT)
        out, _err = command.communicate(timeout=COMMAND_TIMEOUT_S)
    assert command.returncode == -signal.SIGINT
    left = {line.split()[0].decode() for line in out.splitlines()}
    assert 0 < len(left) < len(gpids)
    rows = {str(row["gpid"]): row for row in ssi.json("jobs")}
    assert {gpid for gpid in gpids if rows[gpid]["node"] == "n1"} == left
    assert {rows[gpid]["state"] for gpid in gpids} == {"running"}
    assert ssi("drain", "n1").status == 0


def test_many_jobs_move_at_once_and_each_has_its_own_fate(ssi: Ssi) -> None:
    good = [ssi.detached("n1", "sleep", "300") for _ in range(3)]
    stuck = ssi.detached("n1", "sh", "-c", STUCK)
    eventually(lambda: "stuck" in ssi.ok("logs", stuck), what="it is stuck")
    result = ssi("migrate", *good, stuck, "n3")
    assert result.status == 26, result
    assert sorted(line.split()[0] for line in result.out.splitlines()) == sorted(good)
    assert stuck in result.err
    ssi.ok("cordon", "n2")
    result = ssi("migrate", *good, "--to", "auto")
    assert result.status == 0, result
    assert {ssi.job(gpid)["node"] for gpid in good} == {"n1"}
    why = {row["node"]: row for row in ssi.json("why", good[0])}
    assert why["n2"]["reasons"] == ["it is cordoned"]
    assert why["n3"]["fits"] is True


def test_no_cgroup_of_a_job_stays_where_the_job_does_not(ssi: Ssi) -> None:
    def there(node: str) -> bool:
        return f"job-{gpid}" in ssi.host(node).run("ls", "/sys/fs/cgroup/ssi").stdout.decode()

    gpid = ssi.detached("n1", "sleep", "300")
    ssi.ok("migrate", gpid, "n2")
    assert (there("n1"), there("n2")) == (False, True)
    ssi.ok("kill", gpid)
    eventually(lambda: not there("n2"), what="its cgroup goes with it")


def test_the_doctor_names_what_ails_a_node_and_the_cure(ssi: Ssi) -> None:
    host = ssi.host("n2")
    assert all(row["verdict"] != "fail" for row in ssi.json("doctor"))
    host.run("mv", "/usr/sbin/criu", "/usr/sbin/criu.away")
    host.run("chmod", "644", "/var/lib/ssi/node.key")
    host.run("sh", "-c", "mv $(echo /var/lib/ssi/bundles/*/lib/bin/shfmt) /tmp/shfmt.away")
    try:
        result = ssi("doctor", "n2")
    finally:
        host.run("sh", "-c", "mv /tmp/shfmt.away $(echo /var/lib/ssi/bundles/*/lib/bin)/shfmt")
        host.run("mv", "/usr/sbin/criu.away", "/usr/sbin/criu")
        host.run("chmod", "600", "/var/lib/ssi/node.key")
    assert result.status == 1
    assert "criu is not installed" in result.out
    assert "ssh n2 apt-get install criu" in result.out
    assert "ssh n2 chmod 600 /var/lib/ssi/node.key" in result.out
    assert "no shfmt: placements within loops" in result.out
    assert "-> ssi up n2\n" in result.out
    well = ssi("doctor", "n2")
    assert well.status == 0
    assert "shfmt" not in well.out
