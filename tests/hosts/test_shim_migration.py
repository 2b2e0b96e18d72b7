"""Jobs that move between the shims of two hosts, with CRIU: what survives, and what fails well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from nodeagent.shim.messages import Account, Dumped
from ssi.lab import Lab
from ssi.model.shim import DumpFailed, RestoreFailed, WrongStage
from tests.hosts.pair import Pair, pair_on
from tests.hosts.shim_client import ENVIRONMENT, ShimClient, ShimHost
from tests.hosts.system import PATIENCE_S, eventually

ADA = Account(user="ada", uid=1000, gid=1000, groups=(1000,))
ECHO = ("sh", "-c", "while read x; do echo $x; done; exit 9")

GO = "/tmp/go"
"""What waits for it goes on where it is there."""

UNTIL_GO = f"until [ -e {GO} ]; do sleep 0.05; done"

THREADS = f"""
import hashlib, os, threading, time
results = [None] * 4
def work(index):
    digest = hashlib.md5()
    for turn in range(200):
        digest.update(bytes([index, turn]) * 20000)
        time.sleep(0.01)
    results[index] = digest.hexdigest()
threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
while not os.path.exists("{GO}"): time.sleep(0.01)
print(results)
"""

TIMER = """
import ctypes, os, select, struct, sys
libc = ctypes.CDLL(None)
timer = libc.timerfd_create(1, os.O_NONBLOCK)
libc.timerfd_settime(timer, 0, struct.pack("qqqq", 0, 50_000_000, 0, 50_000_000), None)
print("set", flush=True)
sys.stdin.readline()
ticks = 0
while ticks < 20 and select.select([timer], [], [], 20)[0]:
    ticks += struct.unpack("q", os.read(timer, 8))[0]
print("ticks" if ticks >= 20 else "stands still")
"""

SEMAPHORE = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
semaphores = libc.semget(0, 1, 0o600)
memory = libc.shmget(0, 4096, 0o600)
libc.shmat.restype = ctypes.c_void_p
address = libc.shmat(memory, None, 0)
ctypes.memmove(address, b"shared", 6)
print("made", flush=True)
sys.stdin.readline()
print(libc.semctl(semaphores, 0, 16, 5), libc.semctl(semaphores, 0, 12),
      ctypes.string_at(address, 6).decode())
"""


@pytest.fixture(scope="module")
def pair(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair_on(lab, tmp_path_factory.mktemp("wheels")) as pair:
        yield pair


@pytest.fixture
def shim(pair: Pair) -> ShimClient:
    for host in (pair.here, pair.there):
        host.outside(GO).unlink(missing_ok=True)
    return pair.here.shim()


def dump_here(pair: Pair, shim: ShimClient) -> tuple[str, Dumped]:
    images = pair.here.folder("images")
    return images, shim.dump(images)


def wait_for_state(host: ShimHost, pid: int, state: str) -> None:
    eventually(lambda: state_of(host, pid) == state, what=f"state {state} of {pid}")


def state_of(host: ShimHost, pid: int) -> str:
    stat = host.outside(f"/proc/{pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0]


def test_job_keeps_its_pids_its_input_and_its_status_over_ten_hops(
    pair: Pair, shim: ShimClient
) -> None:
    shim.start("sh", "-c", "echo $$; read x; echo got $x; cat; echo bye; exit 5", pid_base=7776)
    shim.read_until(b"7777\n")
    shim.write(b"one\n")
    shim = pair.hop(shim, 10)
    shim.write(b"two", 4, end=True)
    assert shim.read_all(offset=5) == b"got one\ntwobye\n"
    assert shim.status(PATIENCE_S).exit_status == 5


def test_xz_gives_the_same_bytes_after_ten_hops(pair: Pair, shim: ShimClient) -> None:
    data = os.urandom(3 << 20) + b"abc" * 500_000 + os.urandom(1 << 20)
    reference = pair.here.shim()
    reference.start("xz", "-3", "-T1")
    expected = feed(reference, data, 0, end=True)
    expected += reference.read_all(offset=len(expected))
    shim.start("xz", "-3", "-T1")
    step, out = len(data) // 11, b""
    for turn in range(11):
        last = turn == 10
        piece = data[turn * step :] if last else data[turn * step : (turn + 1) * step]
        out += feed(shim, piece, turn * step, end=last, read_from=len(out))
        if not last:
            shim = pair.move(shim, back=turn % 2 == 1)
    out += shim.read_all(offset=len(out))
    assert out == expected
    assert shim.status(PATIENCE_S).exit_status == 0


def feed(shim: ShimClient, data: bytes, offset: int, *, end: bool, read_from: int = 0) -> bytes:
    """Writes all of ``data`` as input from ``offset`` on; returns what came out meanwhile."""
    out, at = b"", 0
    while at < len(data):
        piece = data[at : at + (1 << 20)]
        accepted = shim.write(
            piece, offset + at, end=end and at + len(piece) == len(data), wait_s=0.1
        )
        at = accepted.offset - offset
        out += shim.read(offset=read_from + len(out), wait_s=0).data
    return out


def test_threads_reach_the_same_result_after_ten_hops(pair: Pair, shim: ShimClient) -> None:
    expected = subprocess.run(
        [sys.executable, "-c", THREADS.replace(GO, "/")],
        check=True,
        capture_output=True,
        timeout=PATIENCE_S,
    ).stdout
    shim.start("python3", "-c", THREADS)
    shim = pair.hop(shim, 10)
    pair.here.outside(GO).touch()
    assert shim.read_all() == expected
    assert shim.status(PATIENCE_S).exit_status == 0


def test_pipeline_of_many_processes_survives_ten_hops(pair: Pair, shim: ShimClient) -> None:
    source = "for i in $(seq 50); do yes $i | head -c 4M; sleep 0.05; done"
    sums = "tee >(sha1sum >&2) | md5sum"
    expected = subprocess.run(
        ["bash", "-c", f"{source} | {sums}"], check=True, capture_output=True, timeout=PATIENCE_S
    )
    shim.start("bash", "-c", f"({source}; {UNTIL_GO}) | {sums}")
    shim = pair.hop(shim, 10, pause_s=0.02)
    pair.here.outside(GO).touch()
    assert shim.read_all() == expected.stdout
    assert shim.read_all("stderr") == expected.stderr
    assert shim.status(PATIENCE_S).exit_status == 0


def test_job_of_an_ordinary_user_moves_as_that_user(pair: Pair, shim: ShimClient) -> None:
    shim.start(
        "sh", "-c", "id -un; read x; echo got $x; id -un; id -G; exit 3",
        account=ADA, environment=ENVIRONMENT,
    )  # fmt: skip
    shim.read_until(b"ada\n")
    shim.write(b"wo")  # half a line, which waits in the pipe, unread
    shim = pair.hop(shim, 4)
    shim.write(b"rk\n", 2)
    assert shim.read_all(offset=4) == b"got work\nada\n1000\n"
    assert shim.status(PATIENCE_S).exit_status == 3


def test_unread_output_travels_with_its_numbers(pair: Pair, shim: ShimClient) -> None:
    shim.start("sh", "-c", "seq 1 400000; read x; echo end")
    assert shim.read(offset=0, limit_bytes=10).data == b"1\n2\n3\n4\n5\n"
    shim.read(offset=10, limit_bytes=10)
    shim = pair.hop(shim, 2, pause_s=0.3)
    shim.write(b"\n")
    expected = "".join(f"{number}\n" for number in range(1, 400001)).encode() + b"end\n"
    assert shim.read_all(offset=10) == expected[10:]


def test_logs_of_a_detached_job_go_on_where_it_goes(pair: Pair, shim: ShimClient) -> None:
    logs = (pair.here.folder("logs"), pair.there.folder("logs"))
    count = "i=0; until [ -e /tmp/enough ]; do i=$((i+1)); echo line $i; echo e$i >&2; sleep 0.1"
    # Its shim stays for as long as something of it runs, so that what is left can be read.
    shim.start("sh", "-c", f"{count}; done; ({UNTIL_GO}) >/dev/null 2>&1 & exit 4", logs=logs[0])
    for turn in range(3):
        writes_on(shim)
        shim = pair.move(shim, back=turn % 2 == 1, logs=logs[(turn + 1) % 2])
    enough = pair.there.outside("/tmp/enough")
    enough.touch()
    shown = shim.read_all()
    enough.unlink()
    total = len(shown.splitlines())
    assert shown == "".join(f"line {number}\n" for number in range(1, total + 1)).encode()
    pair.there.outside(GO).touch()
    eventually(lambda: not (shim.directory / "shim.sock").exists(), what="its shim ends")
    assert b'"exit_status": 4' in (shim.directory / "exit.json").read_bytes()
    assert (pair.there.outside(logs[1]) / "stdout").read_bytes() == shown
    stderr = (pair.there.outside(logs[1]) / "stderr").read_bytes()
    assert stderr.splitlines()[-1] == b"e%d" % total


def writes_on(shim: ShimClient) -> None:
    """Waits until a job has written more."""
    before = len(shim.read(peek=True).data)
    eventually(lambda: len(shim.read(peek=True).data) > before, what="it writes on")


def test_daemon_that_forked_twice_comes_along_on_every_hop(pair: Pair, shim: ShimClient) -> None:
    daemon = "(setsid sh -c '(echo up; while :; do sleep 0.1; done) & exit' &)"
    shim.start("sh", "-c", f"{daemon}; while read x; do ps -eo ppid=,sid=,pid=,args=; done")
    shim.read_until(b"up\n")
    shim = pair.hop(shim, 4, pause_s=0.2)
    shim.write(b"\n")
    processes = shim.read_until(b"ps -eo ppid=", offset=3).decode().splitlines()
    (line,) = (line for line in processes if "sh -c (echo up" in line)
    parent, session, pid = line.split()[:3]
    assert parent == "1000"
    assert session == pid


def test_periodic_timer_that_had_expired_goes_on(pair: Pair, shim: ShimClient) -> None:
    shim.start("python3", "-c", TIMER)
    shim.read_until(b"set\n")
    shim = pair.hop(shim, 2, pause_s=0.2)
    shim.write(b"\n")
    assert shim.read_all(offset=4) == b"ticks\n"


def test_system_v_objects_come_along(pair: Pair, shim: ShimClient) -> None:
    shim.start("python3", "-c", SEMAPHORE)
    shim.read_until(b"made\n")
    shim = pair.hop(shim, 2)
    shim.write(b"\n")
    assert shim.read_all(offset=5) == b"0 5 shared\n"


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
    pair.here.outside(GO).touch()
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
    target = pair.there.shim()
    ready = target.restore(pair.carry(images, pair.here, pair.there), dumped.state, cgroup=cgroup)
    assert "shim-test" in pair.there.outside(f"/proc/{ready.root_pid}/cgroup").read_text()
    target.release()
    shim.thaw()


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
