"""Jobs that move between the shims of two hosts, with CRIU: what survives."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.hosts.pair import GO, UNTIL_GO, Pair
from tests.hosts.shim_client import ADA, ENVIRONMENT, ShimClient
from tests.hosts.system import PATIENCE_S, eventually

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


@pytest.fixture
def shim(pair: Pair) -> ShimClient:
    pair.hold_back()
    return pair.here.shim()


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
    pair.let_go()
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
    pair.let_go()
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
    pair.let_go()
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
    named_so = [line.split()[:3] for line in processes if "sh -c (echo up" in line]
    pids = {pid for _parent, _session, pid in named_so}
    # A child that is about to become its sleep still has the daemon's name.
    ((parent, session, pid),) = (each for each in named_so if each[0] not in pids)
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
