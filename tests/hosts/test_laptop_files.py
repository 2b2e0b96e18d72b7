"""Jobs see the files of a machine that is no node, if they were started from there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import pytest

from ssi.lab import Lab
from tests.hosts.laptop import Laptop
from tests.hosts.nat import Router
from tests.hosts.system import PATIENCE_S, Ssi, eventually
from tests.hosts.test_job_files import WORK

HOME = "/home/bob"
WATCH = """
import os, time
written = os.open("tick", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
read = os.open("in.txt", os.O_RDONLY)
def how(deed):
    began_s = time.monotonic()
    try:
        deed()
    except OSError as exc:
        error = exc.errno
    else:
        error = 0
    return error, time.monotonic() - began_s
before, longest_s = None, 0.0
while not os.path.exists("/tmp/enough"):
    told = [how(deed) for deed in (
        lambda: os.write(written, b"x"), lambda: os.pread(read, 9, 0), lambda: os.stat("in.txt"))]
    longest_s = max(longest_s, *(took_s for _, took_s in told))
    well = all(error == 0 for error, _ in told)
    if well != before:
        print("well" if well else "away", round(longest_s, 1), flush=True)
        before, longest_s = well, 0.0
    time.sleep(0.05)
"""
"""Uses files that it holds open, and says when that begins and ends to fail, and what took long."""

STRANGER = """
import os, sys
root = os.open(sys.argv[1], os.O_PATH | os.O_DIRECTORY)
os.setgid(65534), os.setuid(65534)
try:
    os.open("home/bob", os.O_RDONLY, dir_fd=root)
except OSError as exc:
    print(exc)
"""
"""Somebody else, to whom the way to the mount is open."""


@pytest.fixture(scope="module")
def laptop(ssi: Ssi) -> Iterator[Laptop]:
    """A machine that is no node, whose user is ada on the nodes."""
    laptop = Laptop.of(ssi)
    yield laptop
    laptop.host.kill()


@pytest.fixture
def project(laptop: Laptop) -> Iterator[str]:
    """A directory of bob's home, with a program and data."""
    laptop.said("rm -rf ~/project && mkdir ~/project && cd ~/project && echo mine > in.txt")
    laptop.said("cp /usr/bin/cat ~/project/a.out")
    yield f"{HOME}/project"
    laptop.said("rm -rf ~/project")


def test_nobody_sees_more_than_was_named(ssi: Ssi, laptop: Laptop, project: str) -> None:
    gpid = laptop.said(f"cd {project} && ssi run -n n3 -d -- sleep 600").strip()
    try:
        node = ssi.host("n3")
        listed = node.run("ls", "/ssi/c").stdout.decode()
        [name] = re.findall(r"^n4~[0-9a-f]{10}$", listed, re.MULTILINE)
        eventually(
            lambda: f"(needs {name})" in laptop.on("ssi jobs").out, what="the job to be listed"
        )
        eventually(
            lambda: "1 job on n3 sees files of this machine" in laptop.on("ssi doctor").out,
            what="the doctor to know of the job",
        )
        for user in ("ada", "nobody"):
            looked = node.run("runuser", "-u", user, "--", "ls", f"/ssi/c/{name}")
            assert b"Permission denied" in looked.stderr
        root = f"/ssi/c/{name}"
        stranger = node.run("python3", "-c", STRANGER, root)
        assert stranger.stdout == b"[Errno 13] Permission denied: 'home/bob'\n", stranger
        eventually(  # --root home of a moment before counts for another minute
            lambda: node.run("ls", root).stdout == b"home\n",
            what="the rest not to be served",
            within_s=60 + PATIENCE_S,
        )
        assert node.run("cat", f"{root}/etc/hostname").returncode != 0
        line = f"ls -A {HOME}/.config/ssi {HOME}/.local/state/ssi/client; cat {HOME}/.config/ssi/*"
        hidden = laptop.on(f"ssi run -n n3 -- sh -c '{line}'")
        assert "client.key" not in hidden.out and "No such file" in hidden.err, hidden
        other = ssi("run", "-n", "n3", "--root", "auto", "--bind", f"{name}:/home:/mnt", "--", "ls")
        assert other.status == 125 and f"files of {name} cannot be had" in other.err, other
    finally:
        ssi.ok("kill", gpid)


def test_program_and_data_are_only_on_the_laptop(ssi: Ssi, laptop: Laptop, project: str) -> None:
    enter = f"cd {project} && "
    assert laptop.said(enter + "ssi run -n n3 ./a.out in.txt > out.txt; cat out.txt") == "mine\n"
    line = "pwd; echo ~; cat ~/project/in.txt; echo more > new; stat -c %U new; hostname; id -un"
    assert laptop.said(f"{enter}ssi run -n n3 -- sh -c '{line}'").splitlines() == [
        project, HOME, "mine", "ada", "n3", "ada"
    ]  # fmt: skip
    assert laptop.said(enter + "cat new; stat -c %U new") == "more\nbob\n"
    for path in (project, HOME):
        assert ssi.host("n3").run("ls", path).returncode != 0, "nothing of it is on n3 itself"
    laptop.said("mkdir -p '/tmp/some data' && echo there > '/tmp/some data/x'")
    bind = "--bind '/tmp/some data:/mnt' --bind n2:/etc/hostname:/tmp/his"
    assert laptop.said(f"ssi run -n n3 {bind} -- cat /mnt/x /tmp/his") == "there\nn2\n"
    whole = "ssi run -n n3 --root home -- sh -c 'cat /etc/hostname; hostname; pwd; cat in.txt'"
    assert laptop.said(enter + whole) == f"n4\nn3\n{project}\nmine\n"
    assert laptop.on("ls /ssi").status != 0, "nothing was made for it on the laptop"


def has_lines(laptop: Laptop, path: str, count: int) -> bool:
    """Whether a file has so many lines."""
    return len(laptop.said(f"cat {path}").splitlines()) >= count


def moved(ssi: Ssi, laptop: Laptop, gpid: str, *destinations: str) -> None:
    """Moves a job on, each time after it has written at the place before."""
    for destination in destinations:
        written = len(laptop.said("cat ~/project/run/log").splitlines())
        eventually(
            partial(has_lines, laptop, "~/project/run/log", written + 10),
            what=f"the job to write on its way to {destination}",
        )
        out = ssi.ok("migrate", gpid, destination)
        assert f"-> {destination}: " in out, out
        assert not re.search(r"[1-9]\S* of files", out), "none is copied"


def test_open_files_of_the_laptop_follow_a_job_that_moves(
    ssi: Ssi, laptop: Laptop, project: str
) -> None:
    laptop.host.run("tee", f"{project}/work.py", input=WORK.encode())
    laptop.said(f"cd {project} && cp $(readlink -f /usr/bin/python3) python")
    laptop.said(f"cd {project} && mkdir run ref && touch run/log")
    start = f"cd {project}/run && ssi run -n n2 -d -- ../python ../work.py -1"
    gpid = laptop.said(start).strip()
    moved(ssi, laptop, gpid, "n3", "n1", "n2")
    laptop.said(f"touch {project}/run/stop")
    assert ssi("wait", gpid).status == 0
    count, seen, cwd, program = ssi.ok("logs", gpid).split()
    assert (cwd, program) == (f"{project}/run", f"{project}/python")
    undisturbed = laptop.said(f"cd {project}/ref && python3 ../work.py {count}").split()
    assert undisturbed[:2] == [count, seen], "what it read itself"
    assert laptop.said(f"cd {project} && rm run/stop && diff -r run ref") == ""


def test_job_outlives_a_laptop_that_goes_away_and_comes_back(
    ssi: Ssi, laptop: Laptop, project: str
) -> None:
    laptop.host.run("tee", f"{project}/watch.py", input=WATCH.encode())
    gpid = laptop.said(f"cd {project} && ssi run -n n3 -d -- python3 watch.py").strip()
    bystander = ssi.detached("n3", "sleep", "600")

    def told(count: int) -> list[str]:
        eventually(
            lambda: len(ssi("logs", gpid).out.splitlines()) == count,
            what=f"line {count} of the job",
        )
        return [line.split()[0] for line in ssi("logs", gpid).out.splitlines()]

    try:
        assert told(1) == ["well"]
        laptop.host.cut()
        assert told(2)[1] == "away"
        refused = ssi("migrate", gpid, "n1")
        assert refused.status == 26 and "the job was not touched" in refused.err, refused
        assert ssi.job(gpid)["state"] == "running"
        laptop.host.heal()
        assert told(3)[2] == "well"
        laptop.root(f"kill -9 {laptop.agent()}")
        assert told(4)[3] == "away"
        eventually(
            lambda: laptop.on("ssi jobs").status == 0, what="the next agent to reach all nodes"
        )
        assert told(5)[4] == "well", "the same descriptors, and another server"
        longest_s = max(float(line.split()[1]) for line in ssi.ok("logs", gpid).splitlines())
        assert 0.0 < longest_s < PATIENCE_S
        assert ssi.job(bystander)["state"] == "running", "nothing else was hurt"
    finally:
        ssi.host("n3").run("touch", "/tmp/enough")
        ssi("kill", bystander)
    assert ssi("wait", gpid).status == 0
    ssi.host("n3").run("rm", "/tmp/enough")


def is_on(laptop: Laptop, node: str) -> bool:
    """Whether the laptop knows of a job on that node that needs its files, and of no other one."""
    told = re.findall(r"jobs? on (n\d) sees? files of this", laptop.on("ssi doctor").out)
    return told == [node]


def can_move(ssi: Ssi, gpid: str, node: str) -> bool:
    """Whether nothing is in the way."""
    return ssi("migrate", "--dry-run", gpid, node).status == 0


def test_files_follow_a_job_whose_start_nobody_remembers(
    ssi: Ssi, laptop: Laptop, project: str
) -> None:
    laptop.host.run("tee", f"{project}/watch.py", input=WATCH.encode())
    gpid = laptop.said(f"cd {project} && ssi run -n n3 -d -- python3 watch.py").strip()
    try:
        eventually(partial(is_on, laptop, "n3"), what="the laptop to know of the job")
        # To the next agent no command has named these paths, as a minute after the start.
        laptop.root(f"kill -9 {laptop.agent()}")
        eventually(partial(is_on, laptop, "n3"), what="the next agent to know of the job")
        for node in ("n1", "n3", "n1", "n3", "n1"):
            eventually(partial(can_move, ssi, gpid, node), what=f"its files to be had on {node}")
            out = ssi.ok("migrate", gpid, node)
            assert f"-> {node}: " in out, out
            # Who had it may say so before or after who has it now.
            eventually(
                partial(is_on, laptop, node), what=f"the laptop to know that it is on {node}"
            )
        eventually(
            lambda: "well" in ssi("logs", gpid).out.rpartition("away")[2],
            what="the job to use its files",
        )
        assert ssi.job(gpid)["state"] == "running"
    finally:
        ssi("kill", gpid)


@pytest.fixture(scope="module")
def router(ssi: Ssi, laptop: Laptop) -> Iterator[Router]:
    """From now on the laptop has no other way to the nodes."""
    host = Lab.up(name=ssi.lab.name, size=5).host("n5")
    router = Router(host, laptop.host, [ssi.host(name) for name in ("n1", "n2", "n3")])
    router.connect()  # which ends the connections that it had
    eventually(lambda: laptop.on("ssi ps").status == 0, what="the laptop to reach the nodes again")
    yield router
    host.kill()


def callers(ssi: Ssi, node: str) -> set[str]:
    """Who has a connection to a node's agent or to its files."""
    lines = ssi.host(node).run("ss", "-tnH", "state", "established").stdout.decode().splitlines()
    peers = {line.split()[3].rpartition(":")[0] for line in lines}
    return {peer.strip("[]").removeprefix("::ffff:") for peer in peers}


def test_files_behind_a_router_are_served_and_follow_a_job(
    ssi: Ssi, laptop: Laptop, router: Router, project: str
) -> None:
    blocked = ssi.host("n3").run("ping", "-c1", "-W1", "192.168.77.2")
    assert blocked.returncode != 0, "the router passes nothing on that was not asked for"
    enter = f"cd {project} && "
    assert laptop.said(enter + "ssi run -n n3 ./a.out in.txt > out.txt; cat out.txt") == "mine\n"
    laptop.host.run("tee", f"{project}/watch.py", input=WATCH.encode())
    gpid = laptop.said(f"{enter}ssi run -n n3 -d -- python3 watch.py").strip()
    try:
        eventually(lambda: ssi("logs", gpid).out.startswith("well"), what="the job to begin")
        assert router.host.address in callers(ssi, "n3")
        eventually(
            lambda: laptop.host.address not in callers(ssi, "n3"),
            what="the connections of before to be given up",
            within_s=60,
        )
        for node in ("n1", "n2", "n3"):
            assert f"-> {node}: " in laptop.said(f"ssi migrate {gpid} {node}")
        written = int(laptop.said(f"{enter}stat -c %s tick"))
        eventually(
            lambda: int(laptop.said(f"{enter}stat -c %s tick")) > written,
            what="the job to write on to the laptop",
        )
    finally:
        ssi("kill", gpid)


def test_router_that_is_restarted_costs_a_pause_and_nothing_else(
    ssi: Ssi, laptop: Laptop, router: Router, project: str
) -> None:
    laptop.host.run("tee", f"{project}/watch.py", input=WATCH.encode())
    gpid = laptop.said(f"cd {project} && ssi run -n n3 -d -- python3 watch.py").strip()

    def is_well() -> bool:
        return ssi("logs", gpid).out.rpartition("\n")[0].rpartition("\n")[2].startswith("well")

    try:
        eventually(is_well, what="the job to begin")
        router.restart()
        written = int(laptop.said(f"stat -c %s {project}/tick"))
        eventually(
            lambda: int(laptop.said(f"stat -c %s {project}/tick")) > written,
            what="the job to write on to the laptop",
        )
        eventually(is_well, what="the job to have its files again")
        eventually(lambda: laptop.on("ssi jobs").status == 0, what="commands to reach all nodes")
    finally:
        ssi.host("n3").run("touch", "/tmp/enough")
    assert ssi("wait", gpid).status == 0
    ssi.host("n3").run("rm", "/tmp/enough")
