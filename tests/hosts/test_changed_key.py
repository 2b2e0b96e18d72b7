"""A node whose key was changed: `ssi up` brings back its files as well, whoever has them open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts.laptop import Laptop
from tests.hosts.system import Ssi, eventually, pid_of
from tests.hosts.test_faults import agent_answers, is_told_as_a_stranger, kill_by_pid
from tests.hosts.test_job_files import await_output, on, said

USE = """
import errno, fcntl, os, sys, time
held = os.open(sys.argv[2], os.O_RDWR | os.O_CREAT)
if sys.argv[2] == "locked":
    fcntl.flock(held, fcntl.LOCK_EX)
AWAY = {errno.ETIMEDOUT, errno.EHOSTDOWN}
number, told = 0, set()
while not os.path.exists(sys.argv[1]):
    try:
        os.pwrite(held, b"%07d" % number, number % 999 * 7)
        seen = os.pread(held, 7, number % 999 * 7)
        os.stat("in.txt")
    except OSError as exc:
        if exc.errno not in AWAY:
            sys.exit(f"{number}: {exc}")
        continue
    if seen != b"%07d" % number:
        sys.exit(f"{number}: read {seen}")
    number += 1
    print(number, flush=True)
    time.sleep(0.02)
"""
"""Writes and reads again a file that it holds open; who is away is waited for, all else is told."""


@pytest.fixture
def laptop(ssi: Ssi) -> Iterator[Laptop]:
    """A machine that is no node, whose user is ada on the nodes."""
    laptop = Laptop.of(ssi)
    laptop.said("rm -rf ~/papers && mkdir ~/papers && cd ~/papers && echo mine > in.txt")
    laptop.host.run("tee", "/home/bob/papers/use.py", input=USE.encode())
    yield laptop
    laptop.host.kill()


def change_key(ssi: Ssi, node: str) -> None:
    """Its agent makes itself another, which the others do not know."""
    old = pid_of(ssi.host(node), "agent")
    Path(ssi.host(node).root, "var/lib/ssi/node.key").unlink()
    kill_by_pid(ssi, node, "agent")
    eventually(lambda: is_told_as_a_stranger(ssi, node), what="the stranger in its place")
    assert pid_of(ssi.host(node), "agent") != old


def count(ssi: Ssi, gpid: str) -> int:
    """How far a job has come."""
    return len(ssi("logs", gpid).out.splitlines())


def goes_on(ssi: Ssi, gpid: str, *, what: str) -> None:
    """Waits until a job has done a few turns more; whoever has not heard of its node, hears."""
    before, seen = count(ssi, gpid), "absent"

    def is_further() -> bool:
        nonlocal seen
        seen = ssi.job(gpid)["state"]
        return seen not in {"running", "absent"} or (
            seen == "running" and count(ssi, gpid) > before + 5
        )

    eventually(is_further, what=what)
    assert seen == "running", (what, ssi("logs", gpid))


def test_files_of_a_node_whose_key_was_changed_are_back_after_up(ssi: Ssi, laptop: Laptop) -> None:
    for node in ("n1", "n3"):
        await_output(ssi, node, "grep -c fuse.ssi /proc/mounts", "2\n")
        said(ssi, node, "rm -rf ~/papers && mkdir ~/papers && echo mine > ~/papers/in.txt")
        ssi.host(node).run("sh", "-c", "cat > ~/papers/use.py", user="ada", input=USE.encode())
    start = "cd ~/papers && ssi run -n {} -d -- python3 use.py /tmp/key-enough {}"
    jobs = {
        "n1's files on n3": said(ssi, "n1", start.format("n3", "locked")).strip(),
        "n3's files on n1": said(ssi, "n3", start.format("n1", "held")).strip(),
        "the laptop's files on n3": laptop.said(start.format("n3", "held")).strip(),
        "the laptop's files on n1": laptop.said(start.format("n1", "other")).strip(),
    }
    try:
        for what, gpid in jobs.items():
            goes_on(ssi, gpid, what=what)
        change_key(ssi, "n3")
        for what, gpid in jobs.items():
            if what.endswith("on n1"):
                goes_on(ssi, gpid, what=f"{what}, while n3 is a stranger")
        assert "unchanged as node 3" in ssi("up", "n3").err
        eventually(lambda: agent_answers(ssi, "n3", 0), what="n3 is back")
        for what, gpid in jobs.items():
            goes_on(ssi, gpid, what=f"{what}, behind the change")
        locked = "flock -n ~/papers/locked true"
        assert on(ssi, "n1", locked).status == 1, "the lock is still held"
        for asking, asked in (("n1", "n3"), ("n2", "n3"), ("n3", "n1"), ("n3", "n2")):
            line = f"cat /ssi/n/{asked}/etc/hostname"
            await_output(ssi, asking, line, f"{asked}\n")
        assert laptop.said("cd ~/papers && ssi run -n n3 -- cat in.txt") == "mine\n"
        moved = jobs["the laptop's files on n1"]
        assert "-> n3: " in ssi.ok("migrate", moved, "n3")
        goes_on(ssi, moved, what="the job that moved there")
    finally:
        for node in ("n1", "n3"):
            ssi.host(node).run("touch", "/tmp/key-enough")
    for gpid in jobs.values():
        assert ssi("wait", gpid).status == 0, ssi("logs", gpid)
    for node in ("n1", "n3"):
        ssi.host(node).run("rm", "/tmp/key-enough")
        said(ssi, node, "rm -r ~/papers")
