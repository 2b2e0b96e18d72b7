"""A shim that is used again: its next job finds what it finds in a fresh one, or it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nodeagent.shim import messages as m
from nodeagent.shim.birth import MOST_JOBS
from nodeagent.shim.streammessages import (
    BreakInput,
    CloseOutput,
    Read,
)
from ssi.model.job import Terminal
from ssi.model.shim import DumpFailed
from tests.hosts.shim_client import (
    ADA,
    PROJECT,
    Client,
    ShimClient,
    ShimHost,
    keeper_here,
)
from tests.hosts.system import PATIENCE_S, eventually

TERMINAL = Terminal(rows=24, columns=80, term="xterm")

EVERYTHING = """
id; umask; ulimit -a; env | sort; pwd; trap
grep -E '^(Sig[PBIC]|Shd|Cap|Seccomp:|NoNewPrivs|Groups|Umask)' /proc/self/status
cat /proc/self/oom_score_adj /proc/self/limits /proc/self/coredump_filter /proc/self/cgroup
cat /proc/sys/kernel/pid_max /proc/1/comm /proc/1/limits
grep -E '^(Sig[PBIC]|Cap|Threads|NoNewPrivs)' /proc/1/status
stat -c '%n %A %U %G' /dev/pts /dev/pts/*; ls /proc/self/fd /proc; hostname
ipcs -m -q -s; ls -d /dev/mqueue /dev/shm
cut -d ' ' -f 5- /proc/self/mountinfo; nice; taskset -p $$ | cut -d : -f 2
"""

DOES_MUCH = """
ulimit -n 77; umask 0; cd /tmp; export LEFT=1; trap '' TERM INT
ipcmk -M 4096; ipcmk -Q; ipcmk -S 2; echo 500 > /proc/self/oom_score_adj; renice -n 7 -p $$
sh -c 'setsid sleep 0.2 >/dev/null 2>&1 &' ; setsid sh -c 'kill -9 $$'
unshare --mount --ipc --uts sh -c 'mount -t tmpfs none /mnt; hostname other'
echo written
"""

HOLDS_A_TERMINAL = """
import os, sys
held = os.open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY)
print("held", flush=True)
sys.stdin.readline()
"""

LEAKS = """
import os, sys
sys.path.insert(0, sys.argv[1])
from nodeagent.shim.leftovers import Leftovers
leftovers = Leftovers()
leftovers.count_descriptors()
agent = os.open("/dev/null", os.O_RDONLY)
print(leftovers.find() or "nothing")
os.dup(agent)
print(leftovers.find() or "nothing")
"""


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShimHost]:
    """A keeper to whose mounts nobody else adds."""
    work = tmp_path_factory.mktemp("again")
    within = ["unshare", "--mount", "--propagation", "private"]
    with keeper_here(work, within=within) as host:
        yield host


@pytest.fixture
def shim(apart: ShimHost) -> Iterator[ShimClient]:
    with closing(apart.shim()) as client:
        yield client


def run(shim: ShimClient, *argv: str, account: m.Account = ADA) -> tuple[m.Status, bytes]:
    """A job to its end, and what it wrote."""
    status = shim.start(*argv, account=account)
    shim.write(b"", end=True)
    output = shim.read_all() + shim.read_all("stderr")
    assert shim.status(PATIENCE_S).exit_status is not None
    return status, output


def sh(shim: ShimClient, script: str) -> m.Status:
    status, output = run(shim, "sh", "-ec", f"{script}\necho done", account=m_root())
    assert output.endswith(b"done\n"), output
    return status


def m_root() -> m.Account:
    return m.Account(user="root", uid=0, gid=0, groups=(0,))


def next_directory(apart: ShimHost, shim: ShimClient) -> int:
    directory = apart.folder("job")
    return shim.order(directory, apart.outside(directory))


def children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ended(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def assert_ends(shim: ShimClient, pid: int) -> None:
    """It is not used again: it ends as one that was let go of for good."""
    assert not shim.release_again()
    shim.close()
    eventually(lambda: ended(pid), what="the shim ends", every_s=0.02)


@pytest.mark.parametrize("account", [ADA, m_root()], ids=["ada", "root"])
def test_a_job_in_a_used_shim_finds_all_as_in_a_fresh_one(
    apart: ShimHost, account: m.Account
) -> None:
    with closing(apart.shim()) as fresh:
        _, expected = run(fresh, "sh", "-c", EVERYTHING, account=account)
        fresh.release()
    with closing(apart.shim()) as used:
        first, wrote = run(used, "sh", "-c", DOES_MUCH, account=account)
        assert b"written\n" in wrote
        eventually(lambda: not children_of(first.shim_pid), what="its last orphan ends")
        before = used.directory
        assert used.release_again()
        eventually(lambda: not (before / "shim.sock").exists(), what="its socket goes")
        assert Path(f"/proc/{first.shim_pid}/comm").read_text() == "ssi-spare\n"
        assert next_directory(apart, used) == first.shim_pid
        assert Path(f"/proc/{first.shim_pid}/comm").read_text() == "ssi-shim\n"
        empty = used.status()
        assert (empty.stage, empty.note, empty.root_pid) == ("empty", b"", 0)
        second, found = run(used, "sh", "-c", EVERYTHING, account=account)
        assert second.shim_pid == first.shim_pid
        assert found.decode() == expected.decode()
        held = []
        for _ in range(20):
            assert used.release_again()
            next_directory(apart, used)
            held.append(len(os.listdir(f"/proc/{first.shim_pid}/fd")))
            run(used, "true", account=account)
        assert len(set(held)) == 1, held
        assert used.release_again()
    eventually(lambda: ended(first.shim_pid), what="it ends with the connection", every_s=0.02)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("setsid sleep 600 >/dev/null 2>&1 </dev/null &", id="an orphan"),
        pytest.param("mount -t tmpfs none /mnt", id="a mount"),
        pytest.param("mount -t tmpfs none /mnt; umount /mnt", id="a mount that is gone"),
        pytest.param("mount --make-shared /", id="the propagation of a mount"),
        pytest.param("mount -o remount,bind,noatime /dev/pts", id="the options of a mount"),
        pytest.param("chmod 600 /dev/pts/ptmx", id="a mode of terminals"),
        pytest.param("echo 1 > /proc/sys/vm/memfd_noexec", id="a setting of the namespace"),
        pytest.param("prlimit --pid 1 --nofile=100:100", id="a limit"),
        pytest.param("renice -n 5 -p 1", id="a priority"),
        pytest.param("echo 500 > /proc/1/oom_score_adj", id="an OOM score"),
    ],
)
def test_a_shim_in_which_something_is_left_ends(shim: ShimClient, script: str) -> None:
    if "memfd_noexec" in script and not Path("/proc/sys/vm/memfd_noexec").exists():
        pytest.skip("this kernel has no setting of its own for each namespace that is harmless")
    status = sh(shim, script)
    if "sleep" in script:
        assert not shim.release_again()
        left = children_of(status.shim_pid)
        assert left, "what is left in the background keeps its shim"
        for child in left:
            os.kill(child, signal.SIGKILL)
        eventually(lambda: ended(status.shim_pid), what="the shim ends", every_s=0.02)
    else:
        assert_ends(shim, status.shim_pid)


def test_a_stranger_in_its_namespaces_ends_it(shim: ShimClient) -> None:
    status, _ = run(shim, "true")
    words = ["nsenter", "--pid", "--target", str(status.shim_pid), "sh", "-c", "echo in; read x"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as stranger:
        assert stranger.stdout is not None
        assert stranger.stdout.readline() == b"in\n"
        assert not shim.release_again()
        stranger.communicate(b"\n", timeout=PATIENCE_S)
    eventually(lambda: ended(status.shim_pid), what="the shim ends", every_s=0.02)


def test_a_terminal_that_somebody_holds_ends_it(shim: ShimClient) -> None:
    status, _ = run(shim, "true")
    words = ["nsenter", "--mount", "--target", str(status.shim_pid)]
    words += [sys.executable, "-c", HOLDS_A_TERMINAL]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert_ends(shim, status.shim_pid)
        holder.communicate(b"\n", timeout=PATIENCE_S)


def test_a_descriptor_too_many_is_found() -> None:
    words = ["unshare", "--pid", "--fork", "--mount", "--mount-proc"]
    words += [sys.executable, "-c", LEAKS, str(PROJECT)]
    done = subprocess.run(words, capture_output=True, check=True, timeout=PATIENCE_S)
    assert done.stdout == b"nothing\ndescriptors\n"


def test_another_peer_ends_it(shim: ShimClient) -> None:
    status, _ = run(shim, "true")
    with closing(shim.another()) as other:
        other.status()
        assert_ends(shim, status.shim_pid)


def test_a_question_that_waits_ends_it(shim: ShimClient) -> None:
    status = shim.start("sh", "-c", "read x")
    holder = os.open(f"/proc/{status.root_pid}/fd/1", os.O_WRONLY)  # so that more may be written
    try:
        shim.write(b"\n", end=True)
        assert shim.status(PATIENCE_S).exit_status == 0
        question = Read(stream="stdout", offset=0, limit_bytes=1, wait_ms=50_000)
        shim.send(m.RequestFrame(10**6, question))
        assert_ends(shim, status.shim_pid)
    finally:
        os.close(holder)


@pytest.mark.parametrize("kind", ["terminal", "signal", "hung up", "another request"])
def test_only_a_plain_end_is_good_enough(shim: ShimClient, kind: str) -> None:
    script = "kill -9 $$" if kind == "signal" else "exit 3"
    status = shim.start(
        *("sh", "-c", script),
        terminal=TERMINAL if kind == "terminal" else None,
    )
    if kind == "another request":
        shim.ask(CloseOutput(stream="stderr"), m.Ok)
    if kind == "hung up":
        shim.ask(BreakInput(reason="bytes are lost"), m.Ok)
    assert shim.status(PATIENCE_S).exit_status is not None
    shim.read_all()
    assert_ends(shim, status.shim_pid)


def test_without_namespaces_it_is_not_used_again(apart: ShimHost) -> None:
    with closing(apart.shim(namespaces=False)) as shim:
        status, _ = run(shim, "true", account=m_root())
        assert_ends(shim, status.shim_pid)


def test_a_shim_has_so_many_jobs_and_no_more(apart: ShimHost, shim: ShimClient) -> None:
    pids = set()
    for number in range(1, MOST_JOBS):
        pids.add(run(shim, "true")[0].shim_pid)
        assert shim.release_again(), number
        next_directory(apart, shim)
    (pid,) = pids
    run(shim, "true")
    assert_ends(shim, pid)


@pytest.mark.parametrize("how", ["no directory", "another request", "killed"])
def test_one_that_cannot_take_an_order_ends(apart: ShimHost, shim: ShimClient, how: str) -> None:
    status, _ = run(shim, "true")
    assert shim.release_again()
    if how == "killed":
        os.kill(status.shim_pid, signal.SIGKILL)
    with pytest.raises(ConnectionError):
        if how == "another request":
            shim.status()
        else:
            shim.order("/no/such/folder" if how == "no directory" else apart.folder("job"), Path())
    eventually(lambda: ended(status.shim_pid), what="the shim ends", every_s=0.02)


def test_a_job_of_which_a_dump_failed_is_the_last(apart: ShimHost, shim: ShimClient) -> None:
    status = shim.start("sh", "-c", "read x; exit 4")
    with pytest.raises(DumpFailed):
        shim.ask(m.Dump(criu="/no/such/criu", images=apart.folder("images")), m.Dumped)
    shim.write(b"\n", end=True)
    assert shim.status(PATIENCE_S).exit_status == 4
    assert_ends(shim, status.shim_pid)


def test_what_is_in_its_socket_is_not_for_others(apart: ShimHost, shim: ShimClient) -> None:
    """Between two jobs nobody but who let it go can reach it."""
    run(shim, "true")
    before = shim.directory
    assert shim.release_again()
    eventually(lambda: not (before / "shim.sock").exists(), what="its socket goes")
    next_directory(apart, shim)
    with closing(Client(shim.directory / "shim.sock")) as other:
        assert other.ask(m.GetStatus(), m.Status).stage == "empty"
