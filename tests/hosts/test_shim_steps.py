"""The steps of a move between two shims: what each leaves, and what fails well."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from nodeagent.mechanism import libc
from nodeagent.shim.messages import Dumped
from ssi.model.shim import DumpFailed, RestoreFailed, ShimFailed, WrongStage
from tests.hosts.pair import UNTIL_GO, Pair
from tests.hosts.shim_client import ADA, ShimClient, ShimHost
from tests.hosts.system import PATIENCE_S, eventually

PTRACE_O_TRACEEXIT: Final = 0x40
ECHO = ("sh", "-c", "while read x; do echo $x; done; exit 9")


@pytest.fixture
def shim(pair: Pair) -> ShimClient:
    pair.hold_back()
    return pair.here.shim()


def dump_here(pair: Pair, shim: ShimClient) -> tuple[str, Dumped]:
    images = pair.here.folder("images")
    return images, shim.dump(images)


def wait_for_state(host: ShimHost, pid: int, state: str) -> None:
    eventually(lambda: state_of(host, pid) == state, what=f"state {state} of {pid}")


def state_of(host: ShimHost, pid: int) -> str:
    stat = host.outside(f"/proc/{pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0]


def test_stopped_job_arrives_stopped_and_can_be_continued(pair: Pair, shim: ShimClient) -> None:
    status = shim.start(*ECHO)
    signal_job(pair.here, status.root_pid, signal.SIGSTOP)
    wait_for_state(pair.here, status.root_pid, "T")
    shim = pair.move(shim)
    status = shim.status()
    wait_for_state(pair.there, status.root_pid, "T")
    signal_job(pair.there, status.root_pid, signal.SIGCONT)
    shim.write(b"alive\n")
    assert shim.read_until(b"alive\n")


def signal_job(host: ShimHost, pid: int, number: signal.Signals) -> None:
    """Signals a process of a host."""
    enter = ("nsenter", "--target", host.root.parent.name, "--pid", "--mount")
    subprocess.run([*enter, "kill", f"-{number}", str(pid)], check=True, timeout=PATIENCE_S)


def test_thawed_job_runs_on_and_has_lost_no_input(pair: Pair, shim: ShimClient) -> None:
    shim.start("sh", "-c", f"{UNTIL_GO}; cat")
    shim.write(b"early ")
    dump_here(pair, shim)
    assert shim.write(b"while dumped", 6, wait_s=0.1).offset == 6
    shim.thaw()
    shim.thaw()  # as an agent does that lost the reply
    shim.write(b"late", 6, end=True)
    pair.let_go()
    assert shim.read_all() == b"early late"


def test_thaw_leaves_stopped_what_was_stopped_before(pair: Pair, shim: ShimClient) -> None:
    status = shim.start("sh", "-c", "sleep 50 & kill -STOP $!; echo; read x")
    shim.read_until(b"\n")
    children = pair.here.outside(f"/proc/{status.root_pid}/task/{status.root_pid}/children")
    child = int(children.read_text())
    wait_for_state(pair.here, child, "T")
    dump_here(pair, shim)
    wait_for_state(pair.here, status.root_pid, "T")
    shim.thaw()
    wait_for_state(pair.here, status.root_pid, "S")
    assert state_of(pair.here, child) == "T"


def test_failed_restore_leaves_an_empty_shim_and_the_source_runs_on(
    pair: Pair, shim: ShimClient
) -> None:
    shim.start(*ECHO)
    images, dumped = dump_here(pair, shim)
    arrived = pair.carry(images, pair.here, pair.there)
    (pair.there.outside(arrived) / "core-1000.img").write_bytes(b"no image")
    target = pair.there.shim()
    with pytest.raises(RestoreFailed) as caught:
        target.restore(arrived, dumped.state)
    assert "core-1000" in caught.value.reason or "magic" in caught.value.reason
    assert target.status().stage == "empty"
    shim.thaw()
    shim.write(b"still here\n")
    assert shim.read_until(b"still here\n")
    # And the shim that failed can take the next one.
    images, dumped = dump_here(pair, shim)
    good = pair.carry(images, pair.here, pair.there)
    target.restore(good, dumped.state)
    shim.commit()
    target.resume()
    target.write(b"moved\n", 11)
    assert target.read_until(b"moved\n", offset=11)


def test_file_that_is_missing_there_is_named(pair: Pair, shim: ShimClient) -> None:
    path = pair.here.outside("/tmp/only-here")
    path.write_text("x")
    shim.start("sh", "-c", "exec 5</tmp/only-here; echo open; read x")
    shim.read_until(b"open\n")
    images, dumped = dump_here(pair, shim)
    with pytest.raises(RestoreFailed) as caught:
        pair.there.shim().restore(pair.carry(images, pair.here, pair.there), dumped.state)
    assert "tmp/only-here" in caught.value.reason
    shim.thaw()


def test_job_with_a_process_out_of_reach_is_not_dumped(pair: Pair, shim: ShimClient) -> None:
    status = shim.start(*ECHO)
    enter = ("nsenter", "--target", pair.here.root.parent.name, "--pid", "--mount")
    inner = ("nsenter", "--target", str(status.root_pid), "--pid", "--mount")
    intruder = subprocess.Popen(
        [*enter, *inner, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert intruder.stdin is not None and intruder.stdout is not None
    try:
        intruder.stdin.write(b"in\n")
        assert intruder.stdout.readline() == b"in\n"
        with pytest.raises(DumpFailed) as caught:
            dump_here(pair, shim)
        assert "(cat)" in caught.value.reason
    finally:
        intruder.communicate(timeout=PATIENCE_S)
    shim.write(b"fine\n")
    assert shim.read_until(b"fine\n")


def test_committed_job_is_dead_and_comes_back_from_its_images(pair: Pair, shim: ShimClient) -> None:
    status = shim.start(*ECHO)
    shim.write(b"1\n")
    shim.read_until(b"1\n")
    dump_here(pair, shim)
    shim.commit()
    assert not pair.here.outside(f"/proc/{status.root_pid}").exists()
    assert shim.status().stage == "committed"
    assert shim.restore_here().stage == "running"
    shim.write(b"2\n", 2, end=True)
    assert shim.read_all(offset=2) == b"2\n"
    assert shim.status(PATIENCE_S).exit_status == 9


def test_what_dies_late_is_committed_when_it_is_dead_and_never_runs_on(
    pair: Pair, shim: ShimClient
) -> None:
    status = shim.start("sleep", "54321")
    dump_here(pair, shim)
    (pid,) = pids_of_command(b"sleep\x0054321\x00")
    libc.ptrace(libc.PTRACE_SEIZE, pid, data=PTRACE_O_TRACEEXIT)  # stands still before it is dead
    with pytest.raises(ShimFailed, match="not dead 10 s after SIGKILL"):
        shim.commit()
    assert shim.status().doing == "a commit"
    with pytest.raises(WrongStage):
        shim.thaw()
    os.waitpid(pid, libc.WALL)
    libc.ptrace(libc.PTRACE_DETACH, pid)
    eventually(lambda: shim.status().stage == "committed", what="it is dead")
    assert not pair.here.outside(f"/proc/{status.root_pid}").exists()
    assert shim.restore_here().stage == "running"


def pids_of_command(command: bytes) -> list[int]:
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (directory / "cmdline").read_bytes() == command:
                found.append(int(directory.name))
    return found


def test_what_is_not_theirs_is_not_opened_where_it_is_restored_again(
    pair: Pair, shim: ShimClient
) -> None:
    folder = pair.here.folder("adas")
    made = pair.here.outside(folder)
    made.chmod(0o777)
    secret = made / "secret"
    secret.write_text("precious\n")
    secret.chmod(0o600)
    work = f"cd {folder}; umask 077; echo sameside >x; exec 5<x; echo open; read go; cat <&5"
    shim.start("sh", "-c", work, account=ADA)
    shim.read_until(b"open\n")
    dump_here(pair, shim)
    shim.commit()
    (made / "x").rename(made / "y")
    (made / "x").symlink_to(f"{folder}/secret")
    with pytest.raises(RestoreFailed) as caught:
        shim.restore_here()
    assert f"{folder}/secret is not what the job had open" in caught.value.reason
    assert shim.status().stage == "committed"
    (made / "x").unlink()
    (made / "y").rename(made / "x")
    assert shim.restore_here().stage == "running"
    shim.write(b"go\n")
    assert shim.read_all(offset=len(b"open\n")) == b"sameside\n"


def test_dropped_arrival_leaves_nothing(pair: Pair, shim: ShimClient) -> None:
    shim.start(*ECHO)
    images, dumped = dump_here(pair, shim)
    target = pair.there.shim()
    ready = target.restore(pair.carry(images, pair.here, pair.there), dumped.state)
    assert target.status().stage == "ready"
    target.release()
    arrived = pair.there.outside(f"/proc/{ready.root_pid}")
    eventually(lambda: not arrived.exists(), what="nothing of it is left")
    shim.thaw()
    shim.write(b"here\n")
    assert shim.read_until(b"here\n")


def test_job_does_not_run_before_it_is_resumed(pair: Pair, shim: ShimClient) -> None:
    shim.start("sh", "-c", "while :; do echo tick; sleep 0.01; done")
    shim.read_until(b"tick\n")
    images, dumped = dump_here(pair, shim)
    target = pair.there.shim()
    target.restore(pair.carry(images, pair.here, pair.there), dumped.state)
    held = target.read(offset=1 << 30, wait_s=0, peek=True).offset
    time.sleep(0.2)
    assert target.read(offset=1 << 30, wait_s=0, peek=True).offset == held
    shim.commit()
    target.resume()
    assert target.read(offset=held, wait_s=PATIENCE_S).data


def test_restored_job_is_in_its_cgroup(pair: Pair, shim: ShimClient) -> None:
    cgroup = "/sys/fs/cgroup/shim-test"
    for host in (pair.here, pair.there):
        host.outside(cgroup).mkdir(exist_ok=True)
    status = shim.start(*ECHO, cgroup=cgroup)
    assert "shim-test" in pair.here.outside(f"/proc/{status.root_pid}/cgroup").read_text()
    images, dumped = dump_here(pair, shim)
    freezer = f"{cgroup}/cgroup.freeze"
    assert pair.here.outside(freezer).read_text() == "1\n", "no SIGCONT makes it run"
    target = pair.there.shim()
    pair.there.outside(freezer).write_text("1")  # as it is left by a shim that has died there
    ready = target.restore(pair.carry(images, pair.here, pair.there), dumped.state, cgroup=cgroup)
    assert "shim-test" in pair.there.outside(f"/proc/{ready.root_pid}/cgroup").read_text()
    shim.commit()
    assert pair.here.outside(freezer).read_text() == "0\n"
    target.resume()
    target.write(b"there\n")
    assert target.read_until(b"there\n")


def test_steps_out_of_turn_are_refused(pair: Pair, shim: ShimClient) -> None:
    shim.start(*ECHO)
    with pytest.raises(WrongStage):
        shim.commit()
    with pytest.raises(WrongStage):
        shim.restore_here()
    images, dumped = dump_here(pair, shim)
    with pytest.raises(WrongStage):
        shim.dump(images)
    with pytest.raises(WrongStage):
        shim.restore(images, dumped.state)
    shim.thaw()


def test_state_of_another_version_is_refused_by_name(pair: Pair) -> None:
    with pytest.raises(RestoreFailed) as caught:
        pair.there.shim().restore("/tmp", b"\x93garbage")
    assert "state" in caught.value.reason
