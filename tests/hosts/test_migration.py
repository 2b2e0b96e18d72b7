"""Running jobs that go from node to node: nothing lost, nothing twice, refusals by name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nodeagent.migration.hold import Point
from tests.hosts.moving import (
    MOVED,
    assert_runs_on,
    images_of,
    on_every_node,
    processes_of,
    rss,
    running,
)
from tests.hosts.striking import answers, arm, move_held
from tests.hosts.system import COMMAND_TIMEOUT_S, Ssi, eventually, pid_of

TREE = """
import os, subprocess, sys, threading, time
ticks = [0]
def tick():
    while True:
        ticks[0] += 1
        time.sleep(0.01)
for _ in range(3):
    threading.Thread(target=tick, daemon=True).start()
child = subprocess.Popen(["sed", "-u", "s/^/child /"], stdin=subprocess.PIPE)
count = 0
while not os.path.exists("/tmp/stop-tree"):
    child.stdin.write(b"%d\\n" % count)
    child.stdin.flush()
    count += 1
    time.sleep(0.02)
child.stdin.close()
child.wait()
print("threads", 3 if ticks[0] > count else 0, flush=True)
"""

MAPPED = """
import mmap, os, sys, time
descriptor = os.open("/srv/mapped", os.O_RDWR | os.O_CREAT)
os.ftruncate(descriptor, 4096)
page, count = mmap.mmap(descriptor, 4096), 0
while True:
    if int.from_bytes(page[:8], "little") != count:
        sys.exit(f"{count} became {page[:8]}")
    count += 1
    page[:8] = count.to_bytes(8, "little")
    if count % 100 == 0:
        print(count, flush=True)
    time.sleep(0.001)
"""


def goes_on(ssi: Ssi, gpid: str) -> None:
    seen = ssi.ok("logs", gpid)
    eventually(lambda: ssi.ok("logs", gpid) != seen, what="it writes more")


def test_a_moved_job_writes_every_line_once_and_keeps_its_names(ssi: Ssi) -> None:
    on_every_node(ssi, "rm", "-f", "/tmp/stop-tree")
    gpid = ssi.detached("n1", "python3", "-c", TREE)
    eventually(lambda: "child 3" in ssi.ok("logs", gpid), what="the tree works")
    before = processes_of(ssi, gpid)
    assert len(before) == 2 and gpid in before
    for destination in ("n2", "n3", "n1", "n3"):
        assert MOVED.match(ssi.ok("migrate", gpid, destination))
        now = processes_of(ssi, gpid)
        assert set(now) == set(before), "gpids stay, wherever they are"
        assert {row["node"] for row in now.values()} == {destination}
        assert [row["started_at_s"] for row in now.values()] == pytest.approx(
            [before[name]["started_at_s"] for name in now], abs=0.01
        )
    assert ssi.job(gpid)["nodes"] == ["n1", "n2", "n3", "n1", "n3"]
    eventually(lambda: "child 20\n" in ssi.ok("logs", gpid), what="it goes on working")
    ssi.host("n3").run("touch", "/tmp/stop-tree")
    assert ssi("wait", gpid).status == 0
    *lines, last = ssi.ok("logs", gpid).splitlines()
    assert last == "threads 3"
    assert lines == [f"child {number}" for number in range(len(lines))]
    assert len(lines) > 20


def test_a_client_stays_with_a_foreground_job_through_its_moves(ssi: Ssi) -> None:
    with ssi.start("run", "-n", "n1", "--", "sed", "-u", "s/^/seen /") as command:
        assert command.stdin is not None and command.stdout is not None
        gpid = running(ssi, "sed")
        sent = 0
        for destination in ("n2", "n3", "n1"):
            for _ in range(5):
                command.stdin.write(b"line %d\n" % sent)
                sent += 1
            command.stdin.flush()
            ssi.ok("migrate", gpid, destination)
        command.stdin.close()
        assert command.stdout.read() == b"".join(b"seen line %d\n" % n for n in range(sent))
        assert command.wait(timeout=60) == 0


def test_open_files_go_along_and_are_equal_to_an_undisturbed_run(ssi: Ssi) -> None:
    on_every_node(ssi, "rm", "-rf", "/srv/xz")
    make = "mkdir -p /srv/xz; seq 1 9999999 | head -c 48000000 > /srv/xz/numbers"
    ssi.ok("run", "-n", "n1", "--", "sh", "-c", make)
    # It cannot be at its end before it is told, however long a command of ours takes.
    feed = "cat numbers; until [ -e last ]; do sleep 0.1; done; cat last"
    work = f"cd /srv/xz; {{ {feed}; }} | xz -T1 -3 > numbers.xz"
    gpid = ssi.detached("n1", "sh", "-c", work)
    written = Path(ssi.host("n1").root, "srv/xz/numbers.xz")
    eventually(lambda: written.exists() and written.stat().st_size, what="it has its files open")
    ssi.ok("stop", gpid)
    undisturbed = "{ cat /srv/xz/numbers; echo the last; } | xz -T1 -3 | sha256sum"
    reference = ssi.detached("n1", "sh", "-c", undisturbed)
    assert "numbers" in str(ssi.job(gpid)["command"])
    ssi.ok("migrate", gpid, "n2")
    assert ssi.job(gpid)["state"] == "stopped", "a stopped job arrives stopped"
    ssi.ok("cont", gpid)
    ssi.ok("migrate", gpid, "n3")
    ssi.host("n3").run("sh", "-c", "cd /srv/xz; echo the last > new; mv new last")
    assert ssi("wait", gpid).status == 0
    result = ssi.host("n3").run("sha256sum", "/srv/xz/numbers.xz").stdout.decode()
    assert ssi("wait", reference).status == 0
    assert result.split()[0] == ssi.ok("logs", reference).split()[0]
    for node in ("n1", "n2"):
        left = ssi.host(node).run("ls", "/srv/xz").stdout.decode().split()
        assert "numbers.xz" not in left, "what it writes is on one node only"
    assert "numbers" in ssi.host("n1").run("ls", "/srv/xz").stdout.decode()


def test_a_file_that_the_job_has_closed_stays_where_it_was_closed(ssi: Ssi) -> None:
    on_every_node(ssi, "sh", "-c", "rm -rf /srv/results; mkdir /srv/results")
    work = (
        "cd /srv/results; exec 5>first; echo one >&5; echo began;"
        "until [ -e next ]; do sleep 0.1; done;"
        "exec 5>second; echo two >&5; echo went on; exec sleep 300"
    )

    def on_nodes() -> list[list[bytes]]:
        return [host.run("ls", "/srv/results").stdout.split() for host in ssi.lab.hosts]

    gpid = ssi.detached("n1", "sh", "-c", work)
    eventually(lambda: "began" in ssi.ok("logs", gpid), what="it writes")
    ssi.ok("migrate", gpid, "n2")
    ssi.host("n2").run("touch", "/srv/results/next")
    eventually(lambda: "went on" in ssi.ok("logs", gpid), what="it has closed its first file")
    ssi.ok("migrate", gpid, "n3")
    assert on_nodes() == [[], [b"first", b"next"], [b"second"]]
    assert ssi.host("n2").run("cat", "/srv/results/first").stdout == b"one\n"
    ssi.ok("migrate", gpid, "n2")
    ssi.ok("kill", gpid)
    assert on_nodes() == [[], [b"first", b"next", b"second"], []]


def test_a_named_pipe_of_the_job_goes_along_with_what_is_in_it(ssi: Ssi) -> None:
    on_every_node(ssi, "sh", "-c", "rm -rf /srv/pipes; mkdir /srv/pipes")
    work = (
        "cd /srv/pipes; mkfifo p; exec 5<>p; echo first >&5; echo ready;"
        "until [ -e go ]; do sleep 0.1; done; echo second >p;"
        "read a <&5; read b <p; echo $a $b; exec 5>&-; cat p & echo third >p; wait; rm p"
    )
    gpid = ssi.detached("n1", "sh", "-c", work)
    eventually(lambda: "ready" in ssi.ok("logs", gpid), what="its pipe is filled")
    for source, destination in (("n1", "n2"), ("n2", "n3")):
        ssi.ok("migrate", gpid, destination)
        assert ssi.host(source).run("ls", "/srv/pipes").stdout == b"", "it is nowhere twice"
    assert ssi.host("n3").run("stat", "-c", "%F", "/srv/pipes/p").stdout == b"fifo\n"
    ssi.host("n3").run("touch", "/srv/pipes/go")
    assert ssi("wait", gpid).status == 0
    assert ssi.ok("logs", gpid).split() == ["ready", "first", "second", "third"]
    assert ssi.host("n3").run("ls", "/srv/pipes").stdout == b"go\n"


MAKEFILE = """
.PHONY: all
all: {targets}
%.o:
\t@i=0; while [ $$i -lt 20000 ]; do i=$$((i+1)); done; \\
\tuntil [ $@ != {last} ] || [ -e go ]; do sleep 0.1; done; cksum Makefile > $@; echo $@
"""
"""Its last file waits until it is told: a build that is over cannot move."""


def test_a_make_with_many_jobs_moves_while_it_builds(ssi: Ssi) -> None:
    """GNU make hands out tokens through a pipe, from 4.4 on one with a name in /tmp.

    Its shells put their pipe to the log aside while they make a file that no node knew before.
    """
    home = Path(ssi.host("n1").root, "home/ada/build")
    names = [f"{number}.o" for number in range(150)]
    ssi.host("n1").run("mkdir", "-p", "build", user="ada")
    text = MAKEFILE.format(targets=" ".join(names), last=names[-1])
    ssi.host("n1").run("sh", "-c", "cat > build/Makefile", user="ada", input=text.encode())
    command = "cd build; exec ssi run -n n1 --detach -- make -j3 all"
    gpid = ssi.host("n1").run("sh", "-c", command, user="ada").stdout.decode().strip()
    eventually(lambda: ssi.ok("logs", gpid) != "", what="it builds")
    for destination in ("n2", "n3", "n1") * 3:
        assert MOVED.match(ssi.ok("migrate", gpid, destination))
    ssi.host("n1").run("touch", "build/go", user="ada")
    assert ssi("wait", gpid).status == 0, ssi("logs", gpid)
    assert sorted(ssi.ok("logs", gpid).split()) == sorted(names), "each once"
    assert len({(home / name).read_bytes() for name in names}) == 1
    for node in ("n1", "n2", "n3"):
        assert b"GMfifo" not in ssi.host(node).run("ls", "/tmp").stdout


def test_what_is_written_through_a_mapping_is_never_lost(ssi: Ssi) -> None:
    """A write to a page that is dirty already leaves no trace in the file's time of change."""
    on_every_node(ssi, "rm", "-f", "/srv/mapped")
    gpid = ssi.detached("n1", "python3", "-c", MAPPED)
    for destination in ("n2", "n3", "n1"):
        goes_on(ssi, gpid)
        ssi.ok("migrate", gpid, destination)
    goes_on(ssi, gpid)
    assert ssi.job(gpid)["state"] == "running", ssi("logs", gpid)
    ssi.ok("kill", "-9", gpid)


def test_a_destination_that_is_cut_off_leaves_it_running(ssi: Ssi) -> None:
    gpid = ssi.detached("n1", "sleep", "100")
    ssi.host("n3").cut()
    try:
        result = ssi("migrate", gpid, "n3")
        assert result.status != 0 and "n3" in result.err
        assert_runs_on(ssi, gpid, "n1")
    finally:
        ssi.host("n3").heal()
    eventually(lambda: ssi.states()["n3"] == "alive", what="n3 is back")
    ssi.ok("kill", gpid)


def test_an_agent_that_dies_during_a_move_leaves_one_copy(ssi: Ssi) -> None:
    allocate = "import time\nx = bytearray(300_000_000)\nwhile True: time.sleep(0.01)"
    gpid = ssi.detached("n1", "python3", "-c", allocate)
    eventually(lambda: rss(ssi, gpid) > 290_000_000, what="the memory is touched")
    move, source = move_under_way(ssi, gpid)
    old = pid_of(ssi.host(source), "agent")
    ssi.host(source).enter("kill", "-KILL", str(old))
    move.communicate(timeout=COMMAND_TIMEOUT_S)
    eventually(
        lambda: (
            [row["state"] for row in ssi.json("jobs") if str(row["gpid"]) == gpid] == ["running"]
        ),
        what="it runs on one node",
    )
    copies = [row for row in ssi.json("ps", "--jobs") if str(row["gpid"]) == gpid]
    assert len(copies) == 1
    eventually(lambda: answers(ssi, source, old), what="its agent is back")
    eventually(lambda: not images_of(ssi, gpid), what="nothing of the move is left")
    ssi.ok("kill", gpid)


def test_an_agent_that_dies_just_after_a_job_has_arrived_removes_none_of_its_files(
    ssi: Ssi,
) -> None:
    on_every_node(ssi, "sh", "-c", "rm -rf /srv/held; mkdir /srv/held")
    arm(ssi, "n2")
    work = "exec 5>/srv/held/out; while :; do echo x >&5; sleep 0.05; done"
    gpid = ssi.detached("n1", "sh", "-c", work)
    written = Path(ssi.host("n1").root, "srv/held/out")
    eventually(lambda: written.exists() and written.stat().st_size, what="it writes")
    old = pid_of(ssi.host("n2"), "agent")
    with move_held(ssi, gpid, "n2", "n2", Point.DESTINATION_RUNS) as command:
        ssi.host("n2").enter("kill", "-KILL", str(old))
        eventually(lambda: answers(ssi, "n2", old), what="its agent is back")
    command.communicate(timeout=COMMAND_TIMEOUT_S)
    eventually(lambda: ssi.job(gpid)["node"] == "n2", what="it is n2's")
    eventually(lambda: not written.exists(), what="it has left n1")
    arrived = Path(ssi.host("n2").root, "srv/held/out")
    size = arrived.stat().st_size
    eventually(lambda: arrived.stat().st_size > size, what="it writes there, by that name")
    eventually(lambda: not images_of(ssi, gpid), what="nothing of the move is left")
    assert ssi.host("n2").run("ls", "-A", "/srv/held").stdout == b"out\n"
    ssi.ok("kill", gpid)


def move_under_way(ssi: Ssi, gpid: str) -> tuple[subprocess.Popen[bytes], str]:
    """A move between n1 and n2, and its source. Some are over before they are looked for."""
    for source, destination in (("n1", "n2"), ("n2", "n1")) * 5:
        move = ssi.start("migrate", gpid, destination)
        while move.poll() is None:
            if ssi.job(gpid)["state"] == "migrating":
                return move, source
        assert move.returncode == 0, move.communicate()
    raise AssertionError("no move was seen under way")
