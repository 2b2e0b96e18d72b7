"""Suspended means suspended: stopped to the last thread, frozen unnoticed, also on a move."""

from __future__ import annotations

import json

from tests.hosts.system import Ssi, eventually

THREADS = """
import os, threading, time
def work():
    while True: time.sleep(0.002)
for _ in range(3): os.fork()
for _ in range(24): threading.Thread(target=work, daemon=True).start()
work()
"""
"""Eight processes with 25 threads each."""

WITNESS = """
import json, os, signal, subprocess, sys, time
seen = []
for number in (signal.SIGCHLD, signal.SIGCONT, signal.SIGTSTP):
    signal.signal(number, lambda number, frame: seen.append(number))
child = os.fork()
last, stamp, gap, ticks = time.monotonic(), time.time(), 0.0, 0
while not os.path.exists("/tmp/witness-end"):
    try: time.sleep(0.002)
    except OSError as exc: seen.append(str(exc))
    now = time.monotonic()
    gap, last, ticks = max(gap, now - last), now, ticks + 1
    if child and ticks % 20 == 0:
        print(ticks, flush=True)
if child:
    os.waitpid(child, 0)
    seen.remove(signal.SIGCHLD)  # of the child's end, which we have waited for
print(json.dumps({"seen": seen, "gap": gap}), flush=True)
"""
"""A parent and a child that tell which signals they got, and how long they did not run."""


def task_states(ssi: Ssi, gpid: str) -> list[str]:
    """The state of every thread of a job, as this machine's /proc has it."""
    rows = [row for row in ssi.json("ps", "--jobs") if str(row["job"]) == gpid]
    if not rows:
        return []  # it has not begun its program
    script = "cat " + " ".join(f"/proc/{row['pid']}/task/*/stat" for row in rows)
    lines = ssi.host(rows[0]["node"]).run("sh", "-c", script).stdout.decode().splitlines()
    return [line.rpartition(")")[2].split()[0] for line in lines]


def test_a_stopped_tree_has_no_thread_that_runs_once_the_command_returns(ssi: Ssi) -> None:
    gpid = ssi.detached("n1", "python3", "-c", THREADS)
    eventually(lambda: len(task_states(ssi, gpid)) == 200, what="200 threads")
    for _ in range(2):
        ssi.ok("stop", gpid)
        assert task_states(ssi, gpid) == ["T"] * 200
        ssi.ok("cont", gpid)
        assert "T" not in task_states(ssi, gpid)
    ssi.ok("kill", "-9", gpid)


def test_a_job_notices_neither_freezer_nor_a_move_in_it(ssi: Ssi) -> None:
    for host in ssi.lab.hosts:
        host.run("rm", "-f", "/tmp/witness-end")
    gpid = ssi.detached("n1", "python3", "-c", WITNESS)
    eventually(lambda: lines(ssi, gpid) > 2, what="it counts")
    ssi.ok("freeze", gpid)
    before = held(ssi, gpid, "n1")
    for destination in ("n2", "n3", "n1"):
        ssi.ok("migrate", gpid, destination)
        assert held(ssi, gpid, destination) == before, "not a line was written on the way"
    assert ssi("migrate", gpid, "n9").status == 2
    ssi.ok("thaw", gpid)
    eventually(lambda: lines(ssi, gpid) > before + 2, what="it counts on")
    ssi.ok("freeze", gpid)
    ssi.ok("thaw", gpid)
    ssi.host("n1").run("touch", "/tmp/witness-end")
    assert ssi("wait", gpid).status == 0
    told = [json.loads(line) for line in ssi.ok("logs", gpid).splitlines() if "{" in line]
    assert [each["seen"] for each in told] == [[], []]
    assert max(each["gap"] for each in told) > 0.1, "it was frozen after all"


def lines(ssi: Ssi, gpid: str) -> int:
    return len(ssi.ok("logs", gpid).splitlines())


def held(ssi: Ssi, gpid: str, node: str) -> int:
    """How many lines a job has written that its node holds frozen; none comes to them."""
    row = ssi.job(gpid)
    assert (row["state"], row["node"]) == ("frozen", node), row
    # What it wrote just before may still be on its way into the log.
    eventually(lambda: lines(ssi, gpid) == lines(ssi, gpid), what="it stands still")
    return lines(ssi, gpid)
