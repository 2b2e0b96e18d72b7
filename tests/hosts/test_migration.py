"""Running jobs that go from node to node: nothing lost, nothing twice, refusals by name."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from nodeagent.mechanism.criu import lacks_sys_resource
from tests.hosts.system import COMMAND_TIMEOUT_S, Ssi, eventually, pid_of

MOVED = re.compile(
    r"(?P<gpid>\d+) (?P<source>n\d) -> (?P<destination>n\d): (?P<total>\d+) ms in all, "
    r"frozen for (?P<frozen>\d+) ms, image \S+"
)

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


def on_every_node(ssi: Ssi, *argv: str) -> None:
    for host in ssi.lab.hosts:
        run = host.run(*argv)
        assert run.returncode == 0, run


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
\t@i=0; while [ $$i -lt 20000 ]; do i=$$((i+1)); done; cksum Makefile > $@; echo $@
"""


def test_a_make_with_many_jobs_moves_while_it_builds(ssi: Ssi) -> None:
    """GNU make hands out tokens through a pipe, from 4.4 on one with a name in /tmp.

    Its shells put their pipe to the log aside while they make a file that no node knew before.
    """
    home = Path(ssi.host("n1").root, "home/ada/build")
    names = [f"{number}.o" for number in range(150)]
    ssi.host("n1").run("mkdir", "-p", "build", user="ada")
    text = MAKEFILE.format(targets=" ".join(names))
    ssi.host("n1").run("sh", "-c", "cat > build/Makefile", user="ada", input=text.encode())
    command = "cd build; exec ssi run -n n1 --detach -- make -j3 all"
    gpid = ssi.host("n1").run("sh", "-c", command, user="ada").stdout.decode().strip()
    eventually(lambda: ssi.ok("logs", gpid) != "", what="it builds")
    for destination in ("n2", "n3", "n1") * 3:
        assert MOVED.match(ssi.ok("migrate", gpid, destination))
    assert len(ssi.ok("logs", gpid).split()) < len(names), "it was built too soon"
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


def test_a_file_in_the_way_is_refused_by_name_and_left_alone(ssi: Ssi) -> None:
    on_every_node(ssi, "rm", "-rf", "/srv/way")
    on_every_node(ssi, "mkdir", "-p", "/srv/way")
    ssi.host("n2").run("sh", "-c", "echo precious > /srv/way/log")
    gpid = ssi.detached(
        "n1", "sh", "-c", "exec 5>/srv/way/log; while :; do echo x >&5; sleep 0.05; done"
    )
    result = ssi("migrate", gpid, "n2")
    assert result.status == 26, result
    assert "/srv/way/log" in result.err and "n2" in result.err
    assert ssi.host("n2").run("cat", "/srv/way/log").stdout == b"precious\n"
    assert_runs_on(ssi, gpid, "n1")
    ssi.ok("kill", gpid)


def test_a_link_of_a_user_makes_root_write_nowhere_else(ssi: Ssi) -> None:
    on_every_node(ssi, "sh", "-c", "rm -rf /srv/ada; install -d -o ada /srv/ada")
    ssi.host("n1").run("mkdir", "/srv/ada/sub", user="ada")
    ssi.host("n2").run("ln", "-s", "/etc/profile.d", "/srv/ada/sub", user="ada")
    ssi.host("n3").run("mkdir", "/srv/ada/sub", user="ada")
    work = "exec 5>/srv/ada/sub/x.sh; echo echo mine >&5; sleep 300"
    command = f"exec ssi run -n n1 --detach --root local -- sh -c '{work}'"
    gpid = ssi.host("n1").run("sh", "-c", command, user="ada").stdout.decode().strip()
    eventually(lambda: ssi.job(gpid)["processes"] == 2, what="it has written")
    for words in (("--dry-run",), ()):
        result = ssi("migrate", gpid, "n2", *words)
        assert result.status == 26, result
        assert "a link of a user leads to what is not theirs" in result.err + result.out
    assert_runs_on(ssi, gpid, "n1")
    # One that is put in the place of what is on its way goes, and what it leads to stays.
    staged = f"/srv/ada/sub/.x.sh.ssi-{gpid}"
    ssi.host("n3").run("ln", "-s", "/etc/profile.d/x.sh", staged, user="ada")
    assert MOVED.match(ssi.ok("migrate", gpid, "n3"))
    for node in ("n2", "n3"):
        assert b"x.sh" not in ssi.host(node).run("ls", "/etc/profile.d").stdout
    assert ssi.host("n3").run("cat", "/srv/ada/sub/x.sh").stdout == b"echo mine\n"
    ssi.ok("kill", gpid)


def test_another_build_of_its_program_is_refused_by_name(ssi: Ssi) -> None:
    on_every_node(ssi, "cp", "/usr/bin/sleep", "/usr/local/bin/doze")
    ssi.host("n2").run("sh", "-c", "cp /usr/bin/cat /usr/local/bin/doze")
    gpid = ssi.detached("n1", "/usr/local/bin/doze", "100")
    result = ssi("migrate", gpid, "n2")
    assert result.status == 26 and "/usr/local/bin/doze" in result.err, result
    assert_runs_on(ssi, gpid, "n1")
    assert MOVED.match(ssi.ok("migrate", gpid, "n3"))
    ssi.ok("kill", gpid)


def test_a_restore_that_fails_lets_it_run_on_at_the_source(ssi: Ssi) -> None:
    gpid = ssi.detached("n1", "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done")
    criu = Path(ssi.host("n2").root, "usr/sbin/criu")
    kept = criu.read_bytes()
    wrapper = (
        '#!/bin/sh\nfor a; do [ "$a" = swrk ] && exit 1; done\nexec /usr/sbin/criu.kept "$@"\n'
    )
    host = ssi.host("n2")
    host.run("sh", "-c", "cp -p /usr/sbin/criu /usr/sbin/criu.kept")
    try:
        host.run("sh", "-c", "cat > /usr/sbin/criu", input=wrapper.encode())
        result = ssi("migrate", gpid, "n2")
        assert result.status == 27, result
        assert "runs on at n1" in result.err
        assert_runs_on(ssi, gpid, "n1")
    finally:
        host.run("sh", "-c", "mv /usr/sbin/criu.kept /usr/sbin/criu")
    assert hashlib.sha256(criu.read_bytes()).digest() == hashlib.sha256(kept).digest()
    assert host.run("ls", "-A", "/run/ssi/images").stdout == b"", "nothing is left of the try"
    assert MOVED.match(ssi.ok("migrate", gpid, "n2"))
    ssi.ok("kill", gpid)
    ssi("wait", gpid)
    lines = [int(line) for line in ssi.ok("logs", gpid).split()]
    assert lines == list(range(1, len(lines) + 1))


def test_a_process_of_another_user_moves_or_is_refused_before_the_job_is_touched(ssi: Ssi) -> None:
    """As master and workers of a server: CRIU needs a power for it that not every root has."""
    as_ada = "setpriv --reuid ada --regid ada --init-groups sleep 300"
    gpid = ssi.detached("n1", "sh", "-c", f"{as_ada}; true")
    eventually(lambda: ("ada", "sleep") in who_runs_what(ssi, gpid), what="it runs as ada")
    if not lacks_sys_resource(Path("/proc/self/status").read_text()):
        assert MOVED.match(ssi.ok("migrate", gpid, "n2"))
    else:
        for words in (("--dry-run",), ()):
            result = ssi("migrate", gpid, "n2", *words)
            assert result.status == 26, result
            assert "(sleep) runs as ada, and the job as root" in result.err + result.out
            assert "CAP_SYS_RESOURCE, which it lacks on n1" in result.err + result.out
        assert_runs_on(ssi, gpid, "n1")
    ssi.ok("kill", gpid)


DYING_CRIU = """#!/usr/bin/python3
import os, signal, socket, sys
if "swrk" not in sys.argv:
    os.execv("/usr/sbin/criu.kept", sys.argv)
socket.socket(fileno=int(sys.argv[sys.argv.index("swrk") + 1])).recv(65536)
os.kill(int(open("/tmp/victim").read()), signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_ends_with_a_killed_criu_is_told_of(ssi: Ssi) -> None:
    host = ssi.host("n1")
    work = "sleep 300 & echo $! > /tmp/new; mv /tmp/new /tmp/victim; sleep 301 & wait; wait"
    gpid = ssi.detached("n1", "sh", "-c", work)
    eventually(lambda: Path(host.root, "tmp/victim").exists(), what="its children run")
    victim = Path(host.root, "tmp/victim").read_text().strip()
    host.run("sh", "-c", "cp -p /usr/sbin/criu /usr/sbin/criu.kept")
    try:
        host.run("sh", "-c", "cat > /usr/sbin/criu", input=DYING_CRIU.encode())
        result = ssi("migrate", gpid, "n2")
        assert result.status == 27, result
        assert f"of its processes these ended with it: {victim} (sleep)" in result.err
        assert "it runs on at n1" in result.err
        assert_runs_on(ssi, gpid, "n1")
    finally:
        host.run("sh", "-c", "mv /usr/sbin/criu.kept /usr/sbin/criu; rm /tmp/victim")
    assert MOVED.match(ssi.ok("migrate", gpid, "n2"))
    ssi.ok("kill", gpid)


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
    ssi.host(source).enter("kill", "-KILL", str(pid_of(ssi.host(source), "agent")))
    move.communicate(timeout=COMMAND_TIMEOUT_S)
    eventually(
        lambda: (
            [row["state"] for row in ssi.json("jobs") if str(row["gpid"]) == gpid] == ["running"]
        ),
        what="it runs on one node",
    )
    copies = [row for row in ssi.json("ps", "--jobs") if str(row["gpid"]) == gpid]
    assert len(copies) == 1
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


def test_what_ssi_did_not_start_and_where_it_is_already_are_refused(ssi: Ssi) -> None:
    agent = str(10_000_000 + pid_of(ssi.host("n1"), "agent"))
    result = ssi("migrate", agent, "n2")
    assert result.status == 35 and "a part of ssi itself" in result.err
    gpid = ssi.detached("n1", "sleep", "100")
    result = ssi("migrate", gpid, "n1")
    assert result.status == 26 and "on n1 already" in result.err
    assert ssi("migrate", gpid, "n9").status == 2
    ssi.ok("kill", gpid)


def processes_of(ssi: Ssi, gpid: str) -> dict[str, dict[str, object]]:
    return {str(row["gpid"]): row for row in ssi.json("ps", "--jobs") if str(row["job"]) == gpid}


def running(ssi: Ssi, program: str) -> str:
    """The gpid of the job that runs a program, once there is one."""

    def found() -> list[str]:
        rows = ssi.json("jobs")
        return [
            str(row["gpid"])
            for row in rows
            if row["args"][0] == program and row["state"] == "running"
        ]

    eventually(found, what=f"{program} runs")
    return found()[0]


def assert_runs_on(ssi: Ssi, gpid: str, node: str) -> None:
    row = ssi.job(gpid)
    assert (row["state"], row["node"]) == ("running", node)
    assert gpid in processes_of(ssi, gpid)


def who_runs_what(ssi: Ssi, gpid: str) -> set[tuple[object, object]]:
    """User and program of each process: the words of a command line tell neither."""
    return {(row["user"], row["name"]) for row in processes_of(ssi, gpid).values()}


def rss(ssi: Ssi, gpid: str) -> int:
    rows = processes_of(ssi, gpid)
    return int(str(rows[gpid]["rss_bytes"])) if gpid in rows else 0
