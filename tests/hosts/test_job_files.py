"""Jobs see the files of the node that they were started from, at the same paths, and keep them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.hosts.system import COMMAND_TIMEOUT_S, Result, Ssi, eventually

WORK = """
import hashlib, mmap, os, sys, time
limit = int(sys.argv[1])
log, table = open("log", "a", buffering=1), open("table", "w+b", buffering=0)
file = os.open("area", os.O_RDWR | os.O_CREAT)
os.truncate(file, 65536)
area = mmap.mmap(file, 65536)
number = 0
while number != limit and not os.path.exists("stop"):
    log.write(f"line {number}\\n")
    area[number * 37 % 65536] = number % 251
    table.seek(number * 4093 % 300_000)
    table.write(b"%06d" % number)
    if limit < 0: time.sleep(0.003)
    number += 1
table.seek(0)
seen = hashlib.sha256(table.read() + area[:] + open("log", "rb").read()).hexdigest()
print(number, seen, os.getcwd(), os.readlink("/proc/self/exe"), flush=True)
"""
"""Writes, appends and maps until told to stop, or for so many turns."""


def on(ssi: Ssi, node: str, line: str, *, user: str = "ada") -> Result:
    """How a line ended that a user typed on a node."""
    run = ssi.host(node).run("sh", "-c", line, user=user, timeout_s=COMMAND_TIMEOUT_S)
    return Result(run.returncode, run.stdout.decode(), run.stderr.decode())


def said(ssi: Ssi, node: str, line: str, *, user: str = "ada") -> str:
    """What it printed; it must end well, without a word of complaint."""
    result = on(ssi, node, line, user=user)
    assert (result.status, result.err) == (0, ""), (line, result)
    return result.out


def await_output(ssi: Ssi, node: str, line: str, output: str) -> None:
    """Waits until a line prints that."""
    eventually(lambda: on(ssi, node, line).out == output, what=f"{line}: {output}")


@pytest.fixture
def project(ssi: Ssi) -> Iterator[str]:
    """A directory of ada's home on n1, which the other nodes do not have."""
    for node in ("n1", "n2", "n3"):
        await_output(ssi, node, "grep -c fuse.ssi /proc/mounts", "2\n")
    said(ssi, "n1", "rm -rf ~/project && mkdir ~/project && cd ~/project && echo from n1 > in.txt")
    said(ssi, "n1", "cp /usr/bin/cat ~/project/a.out")
    yield "/home/ada/project"
    said(ssi, "n1", "rm -rf ~/project")


def test_program_and_data_are_only_at_home(ssi: Ssi, project: str) -> None:
    enter = f"cd {project} && "
    assert said(ssi, "n1", enter + "ssi run -n n3 ./a.out in.txt > out.txt; cat out.txt") == (
        "from n1\n"
    )
    line = "pwd; echo ~; cat ~/project/in.txt; echo more >> in.txt; ln in.txt link; hostname"
    assert said(ssi, "n1", f"{enter}ssi run -n n3 -- sh -c '{line}'") == (
        f"{project}\n/home/ada\nfrom n1\nn3\n"
    )
    assert said(ssi, "n1", enter + "cat link") == "from n1\nmore\n"
    mounts = said(ssi, "n1", f"{enter}ssi run -n n1 -- cat /proc/self/mountinfo")
    assert " /home/ada" not in mounts, "at home they are plain local files"
    assert on(ssi, "n3", f"ls {project}").status != 0, "nothing of it is on n3 itself"


REPLACED = """
set -e
cd project
for turn in $(seq 8); do
    echo "turn $turn" > new.$turn
    printf "%${turn}s" x > same
    echo "echo ran $turn" > program && chmod +x program && mv program a.out
    ln -sfn "new.$turn" link
    rm -f new.$((turn - 1))
    ssi run -n n2 -- sh -c "
        cat new.$turn && stat -c %s same && sh ./a.out && cat link && test ! -e new.$((turn - 1))
        ls -l > /dev/null; cat same ./a.out link > /dev/null; test -e x || test -e y || test -e z
        true"
done
"""


def test_a_job_sees_what_was_done_before_it_was_started(ssi: Ssi, project: str) -> None:
    """Though its node has just read all of the directory for the job before, and believes that."""
    turns = [f"turn {turn}\n{turn}\nran {turn}\nturn {turn}\n" for turn in range(1, 9)]
    assert said(ssi, "n1", REPLACED) == "".join(turns), project


def test_a_directory_that_the_node_lacks_is_there_for_the_job_only(ssi: Ssi, project: str) -> None:
    said(ssi, "n1", "mkdir -p /project/deep && chown ada /project/deep && echo x > /project/deep/f",
         user="root")  # fmt: skip
    line = "cat f; touch new; ls /usr/bin/env ~/project; mkdir /project/no 2>&1 || pwd"
    out = said(ssi, "n1", f"cd /project/deep && ssi run -n n3 -- sh -c '{line}'")
    assert out.startswith("x\n/usr/bin/env\n") and out.endswith("/project/deep\n"), out
    assert said(ssi, "n1", "ls /project/deep") == "f\nnew\n"
    assert on(ssi, "n3", "ls /project").status != 0
    assert said(ssi, "n1", "rm -r /project", user="root") == ""


def test_binds_show_what_was_asked_for_and_give_nobody_powers(ssi: Ssi, project: str) -> None:
    bind = "ssi run -n n3 --bind n2:/etc/hostname:/tmp/his --bind ./in.txt:mine"
    out = said(ssi, "n1", f"cd {project} && touch mine && {bind} -- cat /tmp/his mine")
    assert out == "n2\nfrom n1\n"
    refused = on(ssi, "n1", "ssi run -n n3 --bind n2:/no/such -- touch ~/started; ls ~/started")
    assert refused.err.splitlines()[0].startswith(
        "ssi: n2:/no/such cannot be had on n3: No such file or directory; --root local"
    )
    assert refused.err.count("\n") == 2 and "cannot access" in refused.err, "it did not start"
    hidden = on(ssi, "n1", "ssi run -n n3 --bind n2:/root/.ssh:/mnt -- true")
    assert "Permission denied" in hidden.err, "nobody enters by a bind what is closed to them"
    line = "echo root::0:0::/:/bin/sh > p; ssi run -n n3 --bind ./p:/etc/passwd -- su -c id"
    assert "uid=0" not in on(ssi, "n1", f"cd {project}; {line}").out, "su asks ada's own file"
    mounts = said(ssi, "n1", "ssi run -n n3 -- cat /proc/self/mounts").splitlines()
    assert [mount for mount in mounts if "nosuid" not in mount.split()[3]] == []


def test_whole_root_comes_from_home(ssi: Ssi, project: str) -> None:
    said(ssi, "n1", "cp /usr/bin/id /usr/local/bin/only-here", user="root")
    try:
        line = (
            "only-here -un; cat /etc/hostname; hostname; ls /run; pwd; ps ax >ps; grep -c ssi- ps"
        )
        out = said(ssi, "n1", f"cd {project} && ssi run -n n3 --root home -- sh -c '{line}'")
        assert out.split() == ["ada", "n1", "n3", project, "1"], out
        assert on(ssi, "n1", "ssi run -n n3 -- only-here").status == 127
    finally:
        said(ssi, "n1", "rm /usr/local/bin/only-here", user="root")
    local = f"cd {project} && ssi run -n n3 --root local -- sh -c 'cat /etc/hostname; ls ~'"
    assert said(ssi, "n1", local) == "n3\n"


def test_where_files_cannot_be_seen_that_is_said(ssi: Ssi, project: str) -> None:
    ssi.host("n3").run("mv", "/dev/fuse", "/dev/fuse-away")
    try:
        ran = on(ssi, "n1", f"cd {project} && ssi run -n n3 -- hostname")
        assert (ran.status, ran.out) == (0, "n3\n")
        assert ran.err == (
            "ssi: the job sees the files of n3, not those of n1: it has no /dev/fuse "
            "(--root local says nothing of it)\n"
        )
        laptop = ssi("run", "-n", "n3", "--root", "auto", "--", "hostname")
        name = re.search(r"\S+~[0-9a-f]{10}", laptop.err)
        assert name is not None and laptop.err == ran.err.replace("of n1", f"of {name[0]}"), laptop
        whole = on(ssi, "n1", "ssi run -n n3 --root home -- true")
        assert whole.status == 125 and "files of n1 cannot be had on n3" in whole.err
    finally:
        ssi.host("n3").run("mv", "/dev/fuse-away", "/dev/fuse")
    machine = on(ssi, "n1", "cd /etc && ssi run -n n3 -- cat hostname")
    assert machine.out == "n3\n" and machine.err.startswith("ssi: the job sees /etc as n3 has it")


def moved(ssi: Ssi, gpid: str, *destinations: str) -> None:
    """Moves a job on, each time after it has written at the place before."""
    for destination in destinations:
        written = said(ssi, "n1", "wc -l < project/run/log").strip()
        await_output(ssi, "n1", f"tail -n +{written} project/run/log | sed -n 10p | wc -l", "1\n")
        out = ssi.ok("migrate", gpid, destination)
        assert f"-> {destination}: " in out, out
        assert not re.search(r"[1-9]\S* of files", out), "none is copied"


@pytest.mark.parametrize(
    ("option", "way"), [("auto", ("n3", "n1", "n2")), ("home", ("n1", "n3", "n2"))]
)
def test_open_files_follow_a_job_that_moves(
    ssi: Ssi, project: str, option: str, way: tuple[str, ...]
) -> None:
    host = ssi.host("n1")
    host.run("sh", "-c", f"cat > {project}/work.py", user="ada", input=WORK.encode())
    said(ssi, "n1", f"cd {project} && cp $(readlink -f /usr/bin/python3) python")
    said(ssi, "n1", f"cd {project} && mkdir run ref && touch run/log")
    start = f"cd {project}/run && ssi run -n n2 --root {option} -d -- ../python ../work.py -1"
    gpid = said(ssi, "n1", start).strip()
    moved(ssi, gpid, *way)
    assert ssi.job(gpid)["nodes"] == ["n2", *way]
    said(ssi, "n1", f"touch {project}/run/stop")
    assert ssi("wait", gpid).status == 0
    count, seen, cwd, program = ssi.ok("logs", gpid).split()
    assert (cwd, program) == (f"{project}/run", f"{project}/python")
    undisturbed = said(ssi, "n1", f"cd {project}/ref && python3 ../work.py {count}").split()
    assert undisturbed[:2] == [count, seen], "what it read itself"
    assert said(ssi, "n1", f"cd {project} && rm run/stop && diff -r run ref") == ""
    assert on(ssi, "n2", f"ls {project}").status != 0, "nothing was copied"


def test_what_cannot_follow_is_refused_by_name(ssi: Ssi, project: str) -> None:
    held = (
        "import fcntl, os, time; a = open('locked', 'w'); fcntl.{0}(a, fcntl.LOCK_EX)\n"
        "b = open('gone', 'w'); os.unlink('gone'); print('holds', flush=True); time.sleep(600)"
    )
    for node, kind, named in (
        ("n2", "lockf", "gone"),
        ("n2", "flock", "gone"),
        ("n1", "flock", ""),
    ):
        code = held.format(kind)
        start = f'cd {project} && ssi run -n {node} -d -- python3 -c "{code}"'
        gpid = said(ssi, "n1", start).strip()
        await_output(ssi, "n1", f"ssi logs {gpid}", "holds\n")
        refused = ssi("migrate", gpid, "n3")
        assert refused.status == 26, refused
        assert f"{project}/locked is locked" in refused.err and named in refused.err, refused
        assert ssi.job(gpid)["state"] == "running"
        kept = ssi("checkpoint", gpid)
        assert (kept.status == 0) == (node == "n1"), "away from home its files cannot be compared"
        ssi.ok("kill", gpid)


def test_file_that_was_exchanged_for_a_link_is_not_opened_for_a_job(ssi: Ssi, project: str) -> None:
    line = "exec 5< secret; echo holds; sleep 600"
    said(ssi, "n1", f"cd {project} && touch secret && chmod 600 secret")
    gpid = said(ssi, "n1", f"cd {project} && ssi run -n n2 -d -- sh -c '{line}'").strip()
    await_output(ssi, "n1", f"ssi logs {gpid}", "holds\n")
    said(ssi, "n1", f"cd {project} && rm secret && ln -s /etc/shadow secret")
    refused = ssi("migrate", gpid, "n3")
    assert refused.status in {26, 27}, refused
    assert ssi.job(gpid)["state"] == "running"
    ssi.ok("kill", gpid)


def test_move_to_where_the_files_cannot_be_had_is_refused_beforehand(
    ssi: Ssi, project: str
) -> None:
    gpid = said(ssi, "n1", f"cd {project} && ssi run -n n2 -d -- sleep 600").strip()
    home = f"{ssi.host('n1').address}/32"
    assert ssi.host("n3").enter("ip", "route", "add", "blackhole", home).returncode == 0
    try:
        refused = ssi("migrate", gpid, "n3")
        assert (refused.status, ssi.job(gpid)["state"]) == (26, "running"), refused
        assert re.search(r"n1:/home/ada cannot be had on n3: (Connection|Host)", refused.err)
        assert ssi("migrate", "--dry-run", gpid, "n3").status == 26
    finally:
        ssi.host("n3").enter("ip", "route", "del", "blackhole", home)
    await_output(ssi, "n3", "cat /ssi/n/n1/home/ada/project/in.txt", "from n1\n")
    said(ssi, "n1", "mv ~/project ~/elsewhere")
    try:
        # What n2 believes of a directory may be of a second ago.
        why = f"cwd: {project} is not there any more"
        eventually(
            lambda: ssi("migrate", "--dry-run", gpid, "n3").status == 26,
            what="the working directory to be missed",
        )
        refused = ssi("migrate", gpid, "n3")
        assert refused.status == 26 and why in refused.err, refused
        assert ssi.job(gpid)["state"] == "running"
    finally:
        said(ssi, "n1", "mv ~/elsewhere ~/project")
    assert "-> n3: " in ssi.ok("migrate", gpid, "n3")
    ssi.ok("kill", gpid)
