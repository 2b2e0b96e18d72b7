"""A node whose disk is slow, and one that falls silent while somebody waits for a lock there."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts.system import PATIENCE_S, Ssi, eventually
from tests.hosts.test_files import place, python, sh

__all__ = ["place"]

LONG_S = 8.0
"""Well above the 5 s within which a node that is gone is told."""

WRITES = """
import os, sys, time
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
print("ready", flush=True)
sys.stdin.readline()
began = time.monotonic()
os.write(file, b"written")
os.fsync(file)
os.close(file)
print(time.monotonic() - began, flush=True)
"""

WAITS = """
import errno, fcntl, os, sys
file = os.open(sys.argv[1], os.O_RDWR)
print("ready", flush=True)
try:
    fcntl.lockf(file, fcntl.LOCK_EX, 9)
    print("mine", flush=True)
except OSError as exc:
    print(errno.errorcode[exc.errno], flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def disk(ssi: Ssi) -> Iterator[str]:
    """A file system of its own on n2, which is all writing, or lets nothing be written."""
    image = Path(ssi.host("n2").root, "srv/disk")
    image.write_bytes(b"")
    os.truncate(image, 64 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    attach = ["losetup", "--find", "--show", str(image)]
    device = subprocess.run(attach, check=True, capture_output=True).stdout.decode().strip()
    number = os.minor(os.stat(device).st_rdev)
    try:
        sh(ssi, "n2", f"mknod /srv/loop b 7 {number} && mkdir /srv/slow")
        sh(ssi, "n2", "mount /srv/loop /srv/slow && mkdir -m 777 /srv/slow/t")
        yield "/srv/slow"
        ssi.host("n2").run("fsfreeze", "-u", "/srv/slow")  # where a test has not come to it
        sh(ssi, "n2", "umount /srv/slow && rm -r /srv/slow /srv/loop /srv/disk")
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def begun(ssi: Ssi, node: str, code: str, path: str) -> subprocess.Popen[bytes]:
    running = subprocess.Popen(
        ssi.host(node).ssh_command("python3", "-c", code, path),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert running.stdout is not None and running.stdout.readline() == b"ready\n"
    return running


def test_disk_that_writes_nothing_for_long_is_waited_for(ssi: Ssi, disk: str) -> None:
    writers = [begun(ssi, "n1", WRITES, f"/ssi/n/n2{disk}/t/{number}") for number in range(8)]
    sh(ssi, "n2", f"fsfreeze -f {disk}")
    frozen_s = time.monotonic()
    for each in writers:
        assert each.stdin is not None
        each.stdin.write(b"\n")
        each.stdin.flush()
    time.sleep(LONG_S - 3)
    assert sh(ssi, "n1", "cat /ssi/n/n2/etc/hostname") == "n2\n", "others are served meanwhile"
    time.sleep(max(0.0, frozen_s + LONG_S - time.monotonic()))
    sh(ssi, "n2", f"fsfreeze -u {disk}")
    for each in writers:
        told, _ = each.communicate(timeout=PATIENCE_S)
        assert each.returncode == 0 and float(told) > LONG_S - 3, (each.returncode, told)
    for number in range(8):
        assert sh(ssi, "n2", f"cat {disk}/t/{number}") == "written"


def test_program_that_waits_for_a_disk_can_be_killed(ssi: Ssi, disk: str) -> None:
    writer = begun(ssi, "n1", WRITES, f"/ssi/n/n2{disk}/t/f")
    sh(ssi, "n2", f"fsfreeze -f {disk}")
    assert writer.stdin is not None
    writer.stdin.write(b"\n")
    writer.stdin.flush()
    pid = sh(ssi, "n1", f"pgrep -f 'python3.*{disk}/t/f'").split()[0]
    time.sleep(1.0)
    sh(ssi, "n1", f"kill -9 {pid}")
    eventually(lambda: not sh(ssi, "n1", f"ps -o pid= -p {pid} || true"), what="it is gone")
    sh(ssi, "n2", f"fsfreeze -u {disk}")
    writer.communicate(timeout=PATIENCE_S)
    assert python(ssi, "n1", "print(1)", "x")  # the mount serves


def test_who_waits_for_a_lock_of_a_node_that_falls_silent_is_told_and_gets_none(
    ssi: Ssi, place: str
) -> None:
    sh(ssi, "n2", "echo 0123456789 > /srv/t/lock && chmod 666 /srv/t/lock")
    holder = begun(ssi, "n2", WAITS, "/srv/t/lock")
    assert holder.stdout is not None and holder.stdout.readline() == b"mine\n"
    waiter = begun(ssi, "n1", WAITS, f"{place}/lock")
    assert waiter.stdout is not None
    time.sleep(LONG_S)
    assert waiter.poll() is None, "it waits for as long as its server is there"
    ssi.host("n2").cut()
    try:
        began_s = time.monotonic()
        assert waiter.stdout.readline() in {b"ETIMEDOUT\n", b"EHOSTDOWN\n"}
        assert time.monotonic() - began_s < PATIENCE_S
    finally:
        ssi.host("n2").heal()
    eventually(lambda: ssi.states()["n2"] == "alive", what="n2 is back")
    holder.communicate(b"\n", timeout=PATIENCE_S)
    take = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    eventually(
        lambda: ssi.host("n2").run("python3", "-c", take, "/srv/t/lock").returncode == 0,
        what="nobody holds it, though who waited has the file open",
    )
    waiter.communicate(b"\n", timeout=PATIENCE_S)
