"""Processes that ssi did not start become jobs where they stand, or are told why they cannot."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from pathlib import Path

import pytest

from nodeagent.migration.hold import Point
from tests.hosts.striking import HOLDS, arm, stopped
from tests.hosts.system import COMMAND_TIMEOUT_S, Ssi, eventually, pid_of

ADOPTED = re.compile(
    r"(?P<gpid>\d+) on (?P<node>n\d) was \d+ on (?P<source>n\d): \d+ ms in all, "
    r"stopped for \d+ ms\n"
)

DAEMON = """
import os, sys, time, threading
child = os.fork()
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
path = sys.argv[1] + ("" if child else ".child")
count = 0
with open(path, "a", buffering=1) as log:
    while True:
        print(count, os.getpid(), file=log)
        count += 1
        time.sleep(0.01)
"""


@pytest.fixture
def folder(ssi: Ssi) -> str:
    for host in ssi.lab.hosts:
        assert host.run("sh", "-c", "rm -rf /srv/ad; mkdir -m 777 /srv/ad").returncode == 0
    return "/srv/ad"


@pytest.fixture
def script(ssi: Ssi, folder: str) -> str:
    path = f"{folder}/daemon.py"
    for host in ssi.lab.hosts:
        assert host.run("sh", "-c", f"cat > {path} <<'E'\n{DAEMON}\nE").returncode == 0
    return path


def started(ssi: Ssi, command: str, shown: str) -> str:
    """The gpid of a process of n1 that an ssh-like session has left behind.

    Args:
        shown: How its command line begins. That of whoever starts it may hold the same words.
    """
    assert ssi.host("n1").run("sh", "-c", f"{command} & true").returncode == 0
    found: list[str] = []

    def is_shown() -> bool:
        result = ssi("ps", "--json", shown)
        rows = json.loads(result.out) if result.status == 0 else []
        found[:] = [str(row["gpid"]) for row in rows if row["command"].startswith(shown)]
        return bool(found)

    eventually(is_shown, what=f"{shown} runs")
    return found[0]


def lines(ssi: Ssi, node: str, path: str) -> list[list[int]]:
    out = ssi.host(node).run("cat", path).stdout.decode()
    return [[int(word) for word in line.split()] for line in out.splitlines()]


def test_a_daemon_and_its_child_become_a_job_that_moves(ssi: Ssi, folder: str, script: str) -> None:
    command = (
        f"setsid nohup setpriv --reuid ada --regid ada --init-groups python3 {script} {folder}/log"
    )
    started(ssi, f"{command} </dev/null >/dev/null 2>&1", f"python3 {script}")
    for log in (f"{folder}/log", f"{folder}/log.child"):
        eventually(lambda log=log: len(lines(ssi, "n1", log)) > 3, what=f"{log} grows")  # type: ignore[misc]
    parents = {pid for _count, pid in lines(ssi, "n1", f"{folder}/log")}
    (pid,) = parents
    gpid = str(10_000_000 + pid)
    assert "can become a job" in ssi.ok("adopt", "--dry-run", gpid)
    told = ADOPTED.fullmatch(ssi.ok("adopt", gpid))
    assert told is not None and told["node"] == "n1"
    job = told["gpid"]
    row = ssi.job(job)
    assert (row["user"], row["state"], row["processes"]) == ("ada", "running", 2)
    ssi.ok("migrate", job, "n2")
    at = len(lines(ssi, "n2", f"{folder}/log.child"))
    eventually(lambda: len(lines(ssi, "n2", f"{folder}/log.child")) > at, what="it goes on")
    ssi.ok("kill", "-9", job)
    assert ssi("wait", job).status == 137
    for name in ("log", "log.child"):
        found = lines(ssi, "n2", f"{folder}/{name}")
        assert [count for count, _pid in found] == list(range(len(found)))
        assert len({pid for _count, pid in found}) == 1, "they have the pids that they had"
    eventually(lambda: ssi("ps", f"python3 {script}").status == 1, what="nothing of it is left")


def test_one_that_is_sent_elsewhere_becomes_a_job_on_its_way(ssi: Ssi) -> None:
    gpid = started(ssi, "setsid sleep 7001 </dev/null >/dev/null 2>&1", "sleep 7001")
    assert "can move" in ssi.ok("migrate", "--dry-run", gpid, "n2")
    told = ADOPTED.fullmatch(ssi.ok("migrate", gpid, "n2"))
    assert told is not None and (told["source"], told["node"]) == ("n1", "n2")
    (row,) = ssi.json("ps", "sleep 7001")
    assert (row["node"], str(row["job"])) == ("n2", told["gpid"])
    ssi.ok("kill", told["gpid"])
    assert ssi("wait", told["gpid"]).status == 143


def test_one_whose_destination_falls_silent_at_the_last_step_runs_there_later(ssi: Ssi) -> None:
    arm(ssi, "n1")
    last = int(ssi.detached("n1", "true"))
    folder = Path(ssi.host("n1").root, HOLDS)
    asked = [folder / f"{last + number}.{Point.SOURCE_RESUME}" for number in range(1, 6)]
    gpid = started(ssi, "setsid sleep 7011 </dev/null >/dev/null 2>&1", "sleep 7011")
    for each in asked:
        each.touch()
    with ExitStack() as stack:
        with ssi.start("migrate", gpid, "n2") as command:
            eventually(lambda: list(folder.glob("*.held")), what="it is held")
            (held,) = folder.glob("*.held")
            stack.enter_context(stopped(ssi, "n2"))
            held.unlink()
            _out, error = command.communicate(timeout=2 * COMMAND_TIMEOUT_S)
        job = held.name.split(".")[0]
        assert command.returncode == 36, error
        assert f"was given to n2 as job {job}, and killed here; it is not known".encode() in error
        assert b"it runs once n2 can be reached" in error
    for each in asked:
        each.unlink(missing_ok=True)
    eventually(lambda: ssi.json("ps", "sleep 7011"), what="it runs")
    (row,) = ssi.json("ps", "sleep 7011")
    assert (row["node"], str(row["job"])) == ("n2", job)
    ssi.ok("kill", job)
    assert ssi("wait", job).status == 143


TIED = {
    "sleep 7002": ("sh -c 'sleep 7002; true'", r"\(sh\) started it"),
    "sleep 7003": ("setsid sh -c 'sleep 7003 | cat; true'", r"pipe to or from process \d+ \(cat\)"),
    "sleep 7004": ("setsid unshare -n sleep 7004", r"namespaces of its own \(net\)"),
    "sleep 7005": ("script -qc 'sleep 7005' /dev/null", "is a terminal of this machine"),
}


def test_what_ties_a_process_to_its_place_is_named(ssi: Ssi) -> None:
    gpids = {}
    for shown, (command, _reason) in TIED.items():
        gpids[shown] = started(ssi, f"{command} </dev/null >/dev/null 2>&1", shown)
    eventually(lambda: ssi.ok("ps", "^cat$"), what="the other end of its pipe runs")
    result = ssi("adopt", *gpids.values())
    assert result.status == 35
    for shown, (_command, reason) in TIED.items():
        told = next(line for line in result.err.splitlines() if gpids[shown] in line)
        assert re.search(reason, told) and "not touched" in told, told
    result = ssi("migrate", gpids["sleep 7003"], "n2")
    assert result.status == 35 and "pipe to or from" in result.err

    def states() -> set[str]:
        return {row["state"] for row in ssi.json("ps") if str(row["gpid"]) in gpids.values()}

    eventually(lambda: states() == {"S"}, what="they sleep on")
    ssi.ok("kill", "-9", *gpids.values())


def test_ssi_itself_and_init_are_no_jobs(ssi: Ssi) -> None:
    for pid, reason in ((pid_of(ssi.host("n1"), "agent"), "part of ssi"), (1, "first process")):
        result = ssi("adopt", str(10_000_000 + pid))
        assert result.status == 35 and reason in result.err
