"""Writes that are said to be done before the server has them: nobody can tell, and none is lost."""

from __future__ import annotations

import errno
import hashlib
import json
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.hosts.system import PATIENCE_S, Ssi, eventually
from tests.hosts.test_files import place, python, sh
from tests.hosts.test_files_heal import patient, replace_worker

__all__ = ["place"]

STREAM = """
import json, os, select, sys
places, size = 24, 1 << 20
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
last, number = {}, 0
while number < places or not select.select([sys.stdin], [], [], 0)[0]:
    number += 1
    at = number * 7 % places
    assert os.pwrite(file, number.to_bytes(8, "little") * (size >> 3), at * size) == size
    last[at] = number
    if number == places: print("ready", flush=True)
os.fsync(file)
os.close(file)
print(json.dumps(last))
"""
"""Writes one place after another, over and over; the last write of each is what must be there."""

CHECK = """
import json, sys
size = 1 << 20
with open(sys.argv[1], "rb") as file:
    for at in range(24):
        data = file.read(size)
        assert data == data[:8] * (size >> 3), at
        print(int.from_bytes(data[:8], "little"))
"""

COHERENT = """
import mmap, os, sys
folder = sys.argv[1]
os.makedirs(folder)
path, other, block = f"{folder}/f", f"{folder}/g", bytes(range(256)) * 1024
file = os.open(path, os.O_RDWR | os.O_CREAT)
os.write(file, block)
os.link(path, other)
size = len(block)
def listed(name): return {each.name: each.stat().st_size for each in os.scandir(folder)}[name]
def another(flags=os.O_RDONLY):
    descriptor = os.open(other, flags)
    try: return os.fstat(descriptor).st_size
    finally: os.close(descriptor)
def read_again():
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    assert os.pread(file, len(block), size - len(block)) == block
    return size
def mapped():
    with mmap.mmap(file, size) as area:
        assert area[size - 9 : size] == block[-9:]
        area[size - 1] = 255
    return size
def renamed():
    global path
    before, path = path, path[:-1] + ("h" if path[-1] == "f" else "f")
    os.rename(before, path)
    return os.stat(path).st_size
def cut():
    os.ftruncate(file, size - 1)
    assert os.stat(path).st_size == size - 1
    return os.pwrite(file, block[-1:], size - 1) + size - 1
looks = [
    lambda: os.stat(path).st_size, lambda: os.stat(other).st_size, lambda: os.fstat(file).st_size,
    lambda: listed("g"), another, lambda: os.lseek(file, 0, os.SEEK_END), read_again, mapped,
    renamed, cut, lambda: another(os.O_RDWR),
    lambda: os.lseek(file, size - 1, os.SEEK_DATA) + 1,
]
for number in range(10 * len(looks)):
    for _ in range(3):
        assert os.pwrite(file, block, size) == len(block)
        size += len(block)
    found = looks[number % len(looks)]()
    assert found == size, (number % len(looks), found, size)
    if size > 40 << 20:
        os.ftruncate(file, len(block))
        size = len(block)
data = b"".join(iter(lambda: os.read(file, 1 << 20), b"")) if not os.lseek(file, 0, 0) else b""
assert data == block * (size // len(block))
print("coherent")
"""

FULL = """
import errno, json, os, sys
told = []
def tell(what, deed):
    try: deed()
    except OSError as exc: told.append([what, exc.errno])
block = b"x" * (1 << 20)
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
for number in range(int(sys.argv[2])):
    tell("write", lambda: os.pwrite(file, block, number << 20))
print(json.dumps(told), flush=True)
for line in sys.stdin:
    told.clear()
    match line.strip():
        case "fsync": tell("fsync", lambda: os.fsync(file))
        case "child":
            if not (child := os.fork()): os._exit(0)
            os.waitpid(child, 0)
        case "cut": tell("cut", lambda: os.ftruncate(file, 0))
        case "write": tell("write", lambda: os.pwrite(file, block, 0))
        case "close": tell("close", lambda: os.close(file))
    print(json.dumps(told), flush=True)
"""


class Told:
    """A program on n1 that does what it is told, a line each, and tells what came of it."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self._program = program

    def heard(self) -> list[list[object]]:
        assert self._program.stdout is not None
        line = self._program.stdout.readline()
        assert line, "the program has ended"
        told: list[list[object]] = json.loads(line)
        return told

    def __call__(self, deed: str) -> list[list[object]]:
        assert self._program.stdin is not None
        self._program.stdin.write(f"{deed}\n")
        self._program.stdin.flush()
        return self.heard()


@contextmanager
def filling(ssi: Ssi, path: str, blocks: int) -> Iterator[Told]:
    command = ssi.host("n1").ssh_command("python3", "-c", FULL, path, str(blocks))
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        try:
            yield Told(program)
        finally:
            program.communicate(timeout=PATIENCE_S)


@pytest.fixture
def small(ssi: Ssi, place: str) -> Iterator[str]:
    """A file system of n2 that three and a half blocks fill, as n1 sees it."""
    sh(ssi, "n2", "mkdir -p /srv/t/small && mount -t tmpfs -o size=3584k none /srv/t/small")
    yield f"{place}/small"
    sh(ssi, "n2", "umount -l /srv/t/small")


def lost(ssi: Ssi) -> int:
    """How often the workers of n1 have said that a write was lost."""
    return int(sh(ssi, "n1", "grep -c event=write-lost /var/lib/ssi/files.log || true"))


def stream(ssi: Ssi, place: str, disturb: list[str]) -> None:
    """A program writes while worker or server are killed; in the end each byte is as it was told.

    1. The program overwrites a few places again and again; most of its writes are answered at once.
    2. What has them under way is killed, several times.
    3. The next one sends them again: none may be missing, and none may come after a later one of
       the same place.
    """
    command = ssi.host("n1").ssh_command("python3", "-c", STREAM, f"{place}/stream")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        for process in disturb:
            if process == "ssi-mounts":
                replace_worker(ssi)
            else:
                old = sh(ssi, "n2", f"pgrep -x {process}").strip()
                sh(ssi, "n2", f"kill -9 {old}")
                sh(ssi, "n1", f"timeout 60 sh -c 'until stat {place}/stream; do sleep 0.1; done'")
        out, _ = program.communicate("end\n", timeout=PATIENCE_S)
    assert program.returncode == 0
    last = json.loads(out)
    found = python(ssi, "n2", CHECK, "/srv/t/stream").split()
    assert found == [str(last[str(at)]) for at in range(24)]


def test_killed_worker_loses_no_write_that_was_said_to_be_done(ssi: Ssi, place: str) -> None:
    stream(ssi, place, ["ssi-mounts"] * 4)


def test_killed_file_server_loses_no_write_that_was_said_to_be_done(ssi: Ssi, place: str) -> None:
    stream(ssi, place, ["ssi-files"] * 2)


def test_write_that_was_said_to_be_done_outlives_both_ends(ssi: Ssi, place: str) -> None:
    """What was on its way is nowhere but in the memory that the next worker finds.

    1. The file server stands still, so nothing that is sent reaches a file.
    2. A write is said to be done all the same.
    3. Worker and server are killed, and with them all that the connection held.
    """
    code = """
import os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
for number in (1, 2):
    os.pwrite(file, b"%d" % number * 1000000, number * 1000000)
    print(number, flush=True); sys.stdin.readline()
os.close(file)
"""
    with patient(ssi) as folder:
        path = f"{folder}/both"
        command = ssi.host("n1").ssh_command("python3", "-c", code, path)
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as program:
            assert program.stdin is not None and program.stdout is not None
            assert program.stdout.readline() == "1\n"
            server = sh(ssi, "n2", "pgrep -x ssi-files").strip()
            sh(ssi, "n2", f"kill -STOP {server}")
            program.stdin.write("\n")
            program.stdin.flush()
            # Where this machine is too slow, the connection has ended before: it is written later.
            said = bool(select.select([program.stdout], [], [], 3)[0])
            worker = sh(ssi, "n1", "pgrep -x ssi-mounts").strip()
            sh(ssi, "n1", f"kill -9 {worker}")
            sh(ssi, "n2", f"kill -9 {server}")
            assert program.stdout.readline() == "2\n"
            program.communicate("\n", timeout=PATIENCE_S)
        assert program.returncode == 0, said
        wanted = hashlib.sha256(bytes(1000000) + b"1" * 1000000 + b"2" * 1000000).hexdigest()
        assert sh(ssi, "n2", "sha256sum < /srv/t/both").split()[0] == wanted, said


def test_program_sees_all_that_it_has_written(ssi: Ssi, place: str) -> None:
    assert python(ssi, "n1", COHERENT, f"{place}/coherent") == "coherent\n"


def test_closed_file_is_whole_for_other_nodes(ssi: Ssi, place: str) -> None:
    code = """
import mmap, os, sys
with open(sys.argv[1], "w+b", buffering=0) as file:
    for number in range(96): file.write(bytes([number + int(sys.argv[2])]) * 65536)
    with mmap.mmap(file.fileno(), 65536) as area: area[:6] = b"mapped"
"""
    for number in range(5):
        python(ssi, "n1", code, f"{place}/closed", str(number))
        whole = b"".join(bytes([number + each]) * 65536 for each in range(96))
        wanted = hashlib.sha256(b"mapped" + whole[6:]).hexdigest()
        for node, path in (("n3", place), ("n2", "/srv/t")):
            assert sh(ssi, node, f"sha256sum < {path}/closed").split()[0] == wanted


def test_full_disk_is_told_by_a_write_and_by_close(ssi: Ssi, small: str) -> None:
    with filling(ssi, f"{small}/f", 12) as file:
        told = file.heard()
        assert told and set(map(tuple, told)) == {("write", errno.ENOSPC)}
        assert file("child") == []  # it closes its descriptor as well, and is told by itself
        assert file("close") == [["close", errno.ENOSPC]]


def test_close_tells_what_no_write_has_told(ssi: Ssi, small: str) -> None:
    """The last write is the one that does not fit, and was said to be done."""
    with filling(ssi, f"{small}/f", 4) as file:
        assert file.heard() == []
        assert file("child") == []
        assert file("close") == [["close", errno.ENOSPC]]


def test_fsync_tells_it_once_and_the_file_goes_on(ssi: Ssi, small: str) -> None:
    with filling(ssi, f"{small}/f", 4) as file:
        assert file.heard() == []
        assert file("fsync") == [["fsync", errno.ENOSPC]]
        assert file("cut") == []
        assert file("write") == []
        assert file("fsync") == []
        assert file("close") == []
    assert sh(ssi, "n2", "stat -c %s /srv/t/small/f") == "1048576\n"


def test_next_worker_tells_what_the_one_before_could_not(ssi: Ssi, small: str) -> None:
    before = lost(ssi)
    with filling(ssi, f"{small}/f", 4) as file:
        assert file.heard() == []
        eventually(lambda: lost(ssi) > before, what="the write to fail")
        replace_worker(ssi)
        assert file("close") == [["close", errno.ENOSPC]]


def test_mount_that_believes_nothing_waits_for_each_write(ssi: Ssi, small: str) -> None:
    sh(ssi, "n1", "mkdir -p /mnt/strict")
    ssi.ok("mount", "n2", "/mnt/strict", "--on", "n1", "--sync")
    try:
        with filling(ssi, "/mnt/strict/srv/t/small/f", 5) as file:
            assert file.heard() == [["write", errno.ENOSPC]]
            assert file("close") == []
    finally:
        ssi.ok("umount", "/mnt/strict", "--on", "n1")


def test_write_that_a_cut_link_has_lost_is_told(ssi: Ssi, place: str) -> None:
    code = """
import json, os, sys, time
block = b"x" * (1 << 20)
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
for number in range(4): os.pwrite(file, block, number << 20)
print("ready", flush=True); sys.stdin.readline()
told = []
for deed in [lambda: os.pwrite(file, block, 0)] * 9 + [lambda: os.fsync(file)] * 2:
    began_s = time.monotonic()
    try: deed()
    except OSError as exc: told.append([exc.errno, time.monotonic() - began_s])
    else: told.append([0, time.monotonic() - began_s])
print(json.dumps(told), flush=True); sys.stdin.readline()
while True:
    try: os.stat(sys.argv[1])
    except OSError: continue
    break
for number in range(4): os.pwrite(file, b"again" + block, number << 20)
os.fsync(file); os.close(file)
"""
    n2 = ssi.host("n2")
    command = ssi.host("n1").ssh_command("python3", "-c", code, f"{place}/cut")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdin is not None and program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        n2.cut()
        try:
            program.stdin.write("\n")
            program.stdin.flush()
            line = program.stdout.readline()
        finally:
            n2.heal()
        program.communicate("\n", timeout=PATIENCE_S)
        assert program.returncode == 0
    told = json.loads(line)
    away = {errno.ETIMEDOUT, errno.EHOSTDOWN}
    writes, syncs = told[:9], told[9:]
    assert {error for error, _ in writes} & away, told
    assert {error for error, _ in syncs} <= away, told
    assert max(took_s for _, took_s in told) < PATIENCE_S, "5 s, and a loaded machine"
    assert sh(ssi, "n2", "head -c 5 /srv/t/cut") == "again"
