"""Memory that goes ahead of a job that runs on, and what becomes of it when that fails.

It needs a kernel that tells which pages are written to; where this one does not, `./dev emulated
tests/hosts/test_pre_copy.py` runs these on one that does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nodeagent.mechanism.livememory import tracks_writes
from nodeagent.migration.rounds import MOST
from tests.hosts.striking import answers, criu_at, kill_criu, pids_of
from tests.hosts.system import COMMAND_TIMEOUT_S, Ssi, eventually, pid_of
from tests.hosts.test_faults import kill_by_pid
from tests.hosts.test_live_migration import move, slow_link

pytestmark = pytest.mark.skipif(
    not tracks_writes(),
    reason="this kernel does not tell which pages are written to; see ./dev emulated",
)

MIB = 1 << 20

WRITER = """
import hashlib, mmap, os, sys, threading, time
size, hot, forks = (int(word) for word in sys.argv[1:])
MIB = 1 << 20
blocks = [bytearray(os.urandom(4096) * 256) for _ in range(size)]
shared = mmap.mmap(-1, MIB)
digests = [hashlib.md5(block).digest() for block in blocks]
beats = [0]

def beat():
    while True:
        beats[0] += 1
        shared[beats[0] % MIB] = beats[0] % 251
        time.sleep(0.01)

def is_right(number):
    step = max(1, size // 16)
    for index in range(number % step, size, step):
        if hashlib.md5(blocks[index]).digest() != digests[index]:
            return False
    last = beats[0]  # what was written before this is there
    return all(shared[n % MIB] == n % 251 for n in range(max(1, last - 50), last))

threading.Thread(target=beat, daemon=True).start()
number = 0
while True:
    number += 1
    for index in range(hot):
        block = blocks[index]
        for offset in range(0, MIB, 4096):  # maps nothing: what is next to that would count, too
            block[offset] = number % 256
        digests[index] = hashlib.md5(block).digest()
    well = is_right(number)
    if forks:  # children are born and end meanwhile
        child = os.fork()
        if not child:
            time.sleep(0.3)
            os._exit(0 if is_right(number + 1) else 1)
        well = well and os.waitpid(child, 0)[1] == 0
    else:
        time.sleep(0.3)
    print(number, well, flush=True)
"""


def writer(ssi: Ssi, size_mib: int, hot_mib: int, *, forks: bool = True) -> str:
    words = [str(size_mib), str(hot_mib), str(int(forks))]
    gpid = ssi.detached("n1", "python3", "-c", WRITER, *words)
    eventually(lambda: "\n" in ssi.ok("logs", gpid), what="it holds its memory")
    return gpid


def goes_on(ssi: Ssi, gpid: str, node: str) -> None:
    """It runs there, and looks at its memory."""
    assert ssi.job(gpid)["node"] == node
    count = len(ssi.ok("logs", gpid).splitlines())
    eventually(
        lambda: len(ssi.ok("logs", gpid).splitlines()) > count + 2, what="it looks at its memory"
    )


def ended_well(ssi: Ssi, gpid: str) -> None:
    """Its memory was right whenever it looked, and nothing of its moves is left."""
    ssi.ok("kill", "-9", gpid)
    told = ssi.ok("logs", gpid).splitlines()
    assert told == [f"{number + 1} True" for number in range(len(told))]
    for node in ("n1", "n2"):
        eventually(lambda node=node: images_on(ssi, node) == [], what=f"no image is on {node}")  # type: ignore[misc]


def images_on(ssi: Ssi, node: str) -> list[str]:
    """What of images of moves is there."""
    return sorted(path.name for path in Path(ssi.host(node).root, "run/ssi/images").iterdir())


def test_memory_goes_ahead_and_only_what_was_written_to_goes_again(ssi: Ssi) -> None:
    gpid = writer(
        ssi, 48, 1, forks=False
    )  # a child that is born after the last round is in the dump
    for destination in ("n2", "n1"):
        told = move(ssi, gpid, destination, "--live", "pre")
        assert 1 <= told["rounds"] <= MOST
        assert told["early_bytes"] > 48 * MIB
        assert told["image_bytes"] < 16 * MIB
        goes_on(ssi, gpid, destination)
    ended_well(ssi, gpid)


def test_a_slow_link_takes_many_writes_meanwhile_and_none_is_lost(ssi: Ssi) -> None:
    gpid = writer(ssi, 32, 4)
    with slow_link(ssi.host("n1"), "100mbit"):
        told = move(ssi, gpid, "n2", "--live", "pre")
    assert told["rounds"] >= 1
    goes_on(ssi, gpid, "n2")
    ended_well(ssi, gpid)


def test_a_job_that_writes_to_all_of_its_memory_moves_all_the_same(ssi: Ssi) -> None:
    gpid = writer(ssi, 16, 16)
    told = move(ssi, gpid, "n2", "--live", "pre")
    assert 1 <= told["rounds"] <= MOST
    goes_on(ssi, gpid, "n2")
    ended_well(ssi, gpid)


def test_a_large_job_has_its_memory_sent_ahead_unasked_and_a_small_one_not(ssi: Ssi) -> None:
    large, small = writer(ssi, 288, 1), writer(ssi, 8, 1)
    assert move(ssi, large, "n2")["rounds"] >= 1
    assert move(ssi, large, "n1", "--live", "stop")["rounds"] == 0
    assert move(ssi, small, "n2")["rounds"] == 0
    goes_on(ssi, large, "n1")
    goes_on(ssi, small, "n2")
    ended_well(ssi, large)
    ended_well(ssi, small)


def test_a_frozen_job_has_nothing_that_could_go_ahead(ssi: Ssi) -> None:
    gpid = writer(ssi, 8, 1)
    ssi.ok("freeze", gpid)
    told = move(ssi, gpid, "n2", "--live", "pre")
    assert told["rounds"] == 0
    assert "it is frozen" in told["not_ahead"]
    ssi.ok("thaw", gpid)
    goes_on(ssi, gpid, "n2")
    ended_well(ssi, gpid)


@contextmanager
def criu_that_cannot_copy_ahead(ssi: Ssi, node: str) -> Iterator[None]:
    """Each such request fails, as it would on a job that CRIU cannot do it with."""
    criu = Path(ssi.host(node).root, "usr/sbin/criu")
    real = criu.with_name("real") / criu.name  # a process has the name of its file
    real.parent.mkdir()
    criu.rename(real)
    criu.write_text(
        '#!/bin/sh\ncase "$*" in *ahead.log*) exit 1;; esac\nexec /usr/sbin/real/criu "$@"\n',
        encoding="utf-8",
    )
    criu.chmod(0o755)
    try:
        yield
    finally:
        real.rename(criu)
        real.parent.rmdir()


def test_where_criu_fails_at_it_the_job_is_moved_whole(ssi: Ssi) -> None:
    gpid = writer(ssi, 16, 1)
    with criu_that_cannot_copy_ahead(ssi, "n1"):
        told = move(ssi, gpid, "n2", "--live", "pre")
    assert told["rounds"] == 0
    assert "criu" in told["not_ahead"]
    assert told["image_bytes"] > 16 * MIB
    goes_on(ssi, gpid, "n2")
    ended_well(ssi, gpid)


def criu_on(ssi: Ssi, node: str) -> list[int]:
    """Each CRIU there."""
    return [pid for pid in pids_of(ssi.host(node)) if criu_at(pid)]


def is_copying(ssi: Ssi, node: str) -> bool:
    """Whether images of a round lie there that has not been dumped yet."""
    images = Path(ssi.host(node).root, "run/ssi/images")
    return any(images.glob("*/ahead-0/pages-*.img"))


@pytest.mark.parametrize("victim", ["agent of the source", "agent of the destination", "criu"])
def test_a_blow_while_memory_goes_ahead_leaves_the_job_as_it_was(ssi: Ssi, victim: str) -> None:
    gpid = writer(ssi, 32, 1)
    node = "n2" if victim == "agent of the destination" else "n1"
    with (
        slow_link(ssi.host("n1"), "20mbit"),
        ssi.start("migrate", gpid, "n2", "--live", "pre") as command,
    ):
        eventually(lambda: is_copying(ssi, "n1"), what="memory is on its way")
        if victim == "criu":
            kill_criu(ssi.host("n1"))
        else:
            old = pid_of(ssi.host(node), "agent")
            kill_by_pid(ssi, node, "agent")
            eventually(lambda: answers(ssi, node, old), what=f"{node} answers again")
        command.communicate(timeout=COMMAND_TIMEOUT_S)
    where = ssi.job(gpid)["node"]
    if victim != "criu":
        assert where == "n1"
        assert command.returncode != 0
    goes_on(ssi, gpid, where)
    for each in ("n1", "n2"):
        eventually(lambda each=each: images_on(ssi, each) == [], what=f"no image is on {each}")  # type: ignore[misc]
    move(ssi, gpid, "n2" if where == "n1" else "n1", "--live", "pre")
    ended_well(ssi, gpid)
    eventually(lambda: criu_on(ssi, "n1") == [], what="no CRIU is left")
