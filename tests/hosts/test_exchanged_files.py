"""A user puts a link to what is not theirs in the place of a file that CRIU opens, as root."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.migration.hold import Point
from ssi.lab import Host
from tests.hosts.moving import MOVED, assert_runs_on, on_every_node, processes_of
from tests.hosts.striking import arm, kill_criu, move_held
from tests.hosts.system import COMMAND_TIMEOUT_S, Ssi, eventually

READS = "umask 077; echo sameside >x; exec 5<x"
WRITES = "umask 077; exec 5>x; echo sameside >&5"
MAPS = (
    "umask 077; echo sameside >x; exec python3 -c '"
    'import mmap, time; file = open("x"); '
    "memory = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ); file.close(); "
    'print("open", flush=True); time.sleep(600)\''
)


@pytest.fixture(scope="module")
def armed(ssi: Ssi) -> Ssi:
    arm(ssi, "n2")
    return ssi


@pytest.fixture(scope="module")
def both_armed(armed: Ssi) -> Ssi:
    arm(armed, "n1")
    return armed


@pytest.fixture
def secret(armed: Ssi) -> Iterator[Host]:
    """The host where root has a file of the size and mode of the user's."""
    on_every_node(armed, "sh", "-c", "rm -rf /srv/ada; install -d -o ada /srv/ada")
    host = armed.host("n2")
    assert host.run("sh", "-c", "umask 077; echo precious >/srv/secret").returncode == 0
    yield host
    assert host.run("cat", "/srv/secret").stdout == b"precious\n"
    host.run("rm", "/srv/secret")


def started(ssi: Ssi, work: str) -> str:
    """A job of ada's, in a directory of ada's."""
    script = f"cd /srv/ada; {work}; echo open; exec sleep 600"
    command = ("ssi", "run", "-n", "n1", "--detach", "--root", "local", "--", "sh", "-c", script)
    gpid = ssi.host("n1").run(*command, user="ada").stdout.decode().strip()
    eventually(lambda: ssi.ok("logs", gpid) == "open\n", what="it has its file open")
    return gpid


def moved_meanwhile(ssi: Ssi, gpid: str, deed: str) -> tuple[int, str]:
    """Moves a job to n2, and ada does something there after its files were put at their paths."""
    with move_held(ssi, gpid, "n2", "n2", Point.DESTINATION_RESTORE) as command:
        by_ada(ssi.host("n2"), deed)
    return ended(command)


def by_ada(host: Host, deed: str) -> None:
    done = host.run("sh", "-c", f"cd /srv/ada && {deed}", user="ada")
    assert done.returncode == 0, done


def ended(command: subprocess.Popen[bytes]) -> tuple[int, str]:
    """The status of a command, and what it said of an error."""
    _out, error = command.communicate(timeout=COMMAND_TIMEOUT_S)
    return command.returncode, error.decode()


@pytest.mark.parametrize("work", [READS, WRITES, MAPS], ids=["reads", "writes", "maps"])
def test_what_is_not_theirs_is_opened_for_nobody(armed: Ssi, secret: Host, work: str) -> None:
    gpid = started(armed, work)
    status, told = moved_meanwhile(armed, gpid, "mv x y && ln -s /srv/secret x")
    assert status == 27, told
    assert "/srv/secret is not what the job had open; it runs on at n1" in told
    assert_runs_on(armed, gpid, "n1")
    secret.run("rm", "-rf", "/srv/ada/y")
    assert MOVED.match(armed.ok("migrate", gpid, "n2"))
    armed.ok("kill", gpid)


def test_what_is_theirs_is_their_own_affair(armed: Ssi, secret: Host) -> None:
    assert secret.name == "n2"
    gpid = started(armed, READS)
    status, told = moved_meanwhile(armed, gpid, "mv x y && cp -p y x")
    assert status == 0, told
    armed.ok("kill", gpid)


def lost_and_exchanged(ssi: Ssi, gpid: str) -> tuple[int, str]:
    """Moves a job to n2, which loses it after the commit, while its file at n1 is exchanged."""
    with move_held(ssi, gpid, "n2", "n1", Point.SOURCE_RESUME) as command:
        assert kill_criu(ssi.host("n2")), "what stands at the barrier dies with it"
        by_ada(ssi.host("n1"), "mv x y && ln -s /srv/secret x")
    return ended(command)


def test_nor_at_the_source_where_it_is_restored_because_the_destination_lost_it(
    both_armed: Ssi, secret: Host
) -> None:
    ssi, source = both_armed, both_armed.host("n1")
    write = "umask 077; echo precious >/srv/secret"
    assert source.run("sh", "-c", write).returncode == 0
    gpid = started(ssi, READS)
    status, told = lost_and_exchanged(ssi, gpid)
    assert status == 28, told
    assert f"job {gpid} was lost by n2 after the commit" in told
    assert "/srv/secret is not what the job had open" in told
    row = ssi.job(gpid)
    assert (row["state"], row["node"]) == ("migrating", "n1")
    assert "/srv/secret is not what the job had open" in str(row["problem"])
    by_ada(source, "mv y x")
    eventually(lambda: ssi.job(gpid)["state"] == "running", what="it runs on at n1")
    eventually(lambda: gpid in processes_of(ssi, gpid), what="its process has its name again")
    assert not ssi.job(gpid)["problem"]
    ssi.ok("kill", gpid)

    gpid = started(ssi, READS)
    status, told = lost_and_exchanged(ssi, gpid)
    assert f"`ssi kill -s KILL {gpid}` gives it up" in told
    ssi.ok("kill", "-s", "KILL", gpid)
    eventually(lambda: ssi.job(gpid)["state"] == "exited", what="it is given up")
    assert not list(Path(source.root, "run/ssi/images").glob(f"{gpid}-*"))
    source.run("rm", "/srv/secret")


def test_a_directory_on_the_way_is_no_better(armed: Ssi, secret: Host) -> None:
    secret.run("sh", "-c", "mkdir -m 755 /srv/roots; cp -p /srv/secret /srv/roots/x")
    gpid = started(armed, f"mkdir sub; cd sub; {WRITES}")
    status, told = moved_meanwhile(armed, gpid, "mv sub old && ln -s /srv/roots sub")
    assert status == 27, told
    assert_runs_on(armed, gpid, "n1")
    assert secret.run("cat", "/srv/roots/x").stdout == b"precious\n"
    secret.run("rm", "-r", "/srv/roots")
    armed.ok("kill", gpid)
