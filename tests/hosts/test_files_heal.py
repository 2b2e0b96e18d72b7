"""What of other nodes' files is killed, cut off or started again, and goes on."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.hosts.system import PATIENCE_S, Ssi, eventually
from tests.hosts.test_files import place, sh

__all__ = ["place"]

WORK = """
import fcntl, json, os, sys
os.chdir(sys.argv[1])
held = open("held", "w"); fcntl.flock(held, fcntl.LOCK_EX)
for number in range(250):
    with open(f"f{number}", "w") as file: file.write(str(number))
told = all(open(f"f{number}").read() == str(number) for number in range(250))
try: fcntl.flock(open("held", "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB); told = False
except BlockingIOError: pass
held.write("still open"); held.flush(); os.fsync(held.fileno())
print(json.dumps([told, open("held").read(), len(os.listdir("."))]))
"""


ONCE = """
import os, sys, threading
os.chdir(sys.argv[1])
deeds = {
    "mkdir": lambda: os.mkdir("mkdir/new"),
    "symlink": lambda: os.symlink("to", "symlink/new"),
    "link": lambda: os.link("link/old", "link/new"),
    "create": lambda: os.close(os.open("create/new", os.O_WRONLY | os.O_CREAT | os.O_EXCL)),
    "mkfifo": lambda: os.mkfifo("mkfifo/new"),
    "unlink": lambda: os.unlink("unlink/old"),
    "rmdir": lambda: os.rmdir("rmdir/folder"),
    "rename": lambda: os.rename("rename/old", "rename/new"),
    "append": lambda: os.write(log, b"once"),
    "setxattr": lambda: os.setxattr("setxattr/old", "user.a", b"x", os.XATTR_CREATE),
}
for name in deeds: os.makedirs(f"{name}/folder"); open(f"{name}/old", "w").close()
log = os.open("append/old", os.O_WRONLY | os.O_APPEND)
failed = []
def do(name):
    try: deeds[name]()
    except OSError as exc: failed.append([name, str(exc)])
threads = [threading.Thread(target=do, args=(name,)) for name in deeds]
for folder, _, files in os.walk("."):
    for name in files: os.stat(f"{folder}/{name}")
print("ready", flush=True); sys.stdin.readline()
for each in threads: each.start()
for each in threads: each.join()
print(failed, [f"{name}/{each}" for name in deeds for each in sorted(os.listdir(name))])
print(os.stat("append/old").st_size)
"""
"""Each in a directory of its own, as the kernel changes one at a time in each."""


APPEND = """
import os, signal, sys, time
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
number = 0
while not os.path.exists(sys.argv[1] + ".stop"):
    assert os.write(log, b"%d\\n" % number) > 1
    number += 1
    time.sleep(0.01)
signal.setitimer(signal.ITIMER_REAL, 0)
"""


@contextmanager
def appending(ssi: Ssi, path: str) -> Iterator[subprocess.Popen[bytes]]:
    """Numbers are written to the end of a file of that path on n1, disturbed by a timer."""
    command = ssi.host("n1").ssh_command("python3", "-c", APPEND, path)
    with subprocess.Popen(command) as program:
        yield program


def await_files(ssi: Ssi, count: int) -> None:
    """Waits until more than so many files are in the directory."""
    eventually(
        lambda: len(sh(ssi, "n2", "ls /srv/t").split()) > count,
        what=f"{count} files to be there",
    )


def replace_worker(ssi: Ssi) -> None:
    """Kills the worker of n1, and waits for the next."""
    old = sh(ssi, "n1", "pgrep -x ssi-mounts").strip()
    sh(ssi, "n1", f"kill -9 {old}")
    eventually(
        lambda: sh(ssi, "n1", "pgrep -x ssi-mounts || true").strip() not in {"", old},
        what="another worker",
    )


@contextmanager
def patient(ssi: Ssi, *options: str) -> Iterator[str]:
    """The directory of ``place`` on a mount that waits for a minute until it gives something up."""
    sh(ssi, "n1", "mkdir -p /mnt/patient")
    ssi.ok("mount", "n2", "/mnt/patient", "--on", "n1", "--deadline", "60", *options)
    try:
        yield "/mnt/patient/srv/t"
    finally:
        ssi.ok("umount", "/mnt/patient", "--on", "n1")


def test_what_must_not_be_done_twice_is_not_though_the_worker_is_killed(
    ssi: Ssi, place: str
) -> None:
    """The kernel asks the next worker for what the server has been asked for already.

    1. The file server stands still, and a program changes names; each change is sent.
    2. The worker is killed. The kernel has had no answer, so it asks the next one.
    3. The server goes on, and finds each change twice.
    """
    with patient(ssi, "--cache", "60") as folder:
        command = ssi.host("n1").ssh_command("python3", "-c", ONCE, folder)
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as program:
            assert program.stdin is not None and program.stdout is not None
            assert program.stdout.readline() == "ready\n"
            server = sh(ssi, "n2", "pgrep -x ssi-files").strip()
            sh(ssi, "n2", f"kill -STOP {server}")
            try:
                program.stdin.write("\n")
                program.stdin.flush()
                time.sleep(1)
                replace_worker(ssi)
                time.sleep(1)
            finally:
                sh(ssi, "n2", f"kill -CONT {server}")
            told = program.communicate(timeout=PATIENCE_S)[0]
    made = dict.fromkeys(("mkdir", "symlink", "link", "create", "mkfifo"), "folder new old")
    kept = {"unlink": "folder", "rmdir": "old", "rename": "folder new"}
    left = {**made, **kept, "append": "folder old", "setxattr": "folder old"}
    names = [f"{deed}/{name}" for deed, line in left.items() for name in line.split()]
    assert told == f"[] {names}\n4\n"


def test_node_that_is_away_fails_quickly_and_heals_with_open_files(ssi: Ssi, place: str) -> None:
    code = f"""
import os, subprocess, sys, time
file = open("{place}/f", "w+b"); file.write(b"before"); file.flush()
print("ready", flush=True); sys.stdin.readline()
def failed_s(deed):
    began_s = time.monotonic()
    try: deed()
    except OSError: return time.monotonic() - began_s
    return 99.0
slow = [failed_s(lambda: os.stat("{place}/f")), failed_s(lambda: os.pwrite(file.fileno(), b"x", 0))]
others = len(os.listdir("/ssi/n/n3/etc")) > 9 and subprocess.run(["ls", "-l", "/ssi/n"]).returncode
waiting = subprocess.Popen(["cat", "{place}/f"], stderr=subprocess.DEVNULL)
waiting.kill(); began_s = time.monotonic(); waiting.wait()
print([max(slow), others, time.monotonic() - began_s], flush=True); sys.stdin.readline()
while failed_s(lambda: os.stat("{place}/f")) < 99: pass
os.pwrite(file.fileno(), b"after!", 0); os.fsync(file.fileno())
print(os.pread(file.fileno(), 9, 0), flush=True)
"""
    n2 = ssi.host("n2")
    command = ssi.host("n1").ssh_command("python3", "-c", code)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdin is not None
        assert program.stdout.readline() == b"ready\n"
        n2.cut()
        try:
            program.stdin.write(b"\n")
            program.stdin.flush()
            told: list[bytes] = []
            while not told or not told[-1].startswith(b"["):
                told.append(program.stdout.readline())
                assert told[-1], told
        finally:
            n2.heal()
        slowest_s, others, killed_s = json.loads(told[-1])
        assert slowest_s < PATIENCE_S, "5 s, and a loaded machine"
        assert (others, killed_s < PATIENCE_S) == (0, True)
        assert program.communicate(b"\n", timeout=PATIENCE_S)[0] == b"b'after!'\n"
    assert sh(ssi, "n2", "cat /srv/t/f") == "after!"


def test_killed_worker_is_replaced_and_nothing_is_lost(ssi: Ssi, place: str) -> None:
    command = ssi.host("n1").ssh_command("python3", "-c", WORK, place)
    before = sh(ssi, "n1", "cat /proc/mounts")
    with subprocess.Popen(command, stdout=subprocess.PIPE) as work:
        for count in (5, 100):
            await_files(ssi, count)
            replace_worker(ssi)
        told = json.loads(work.communicate(timeout=PATIENCE_S)[0])
    assert told == [True, "still open", 251]
    assert sh(ssi, "n1", "cat /proc/mounts") == before


RESTARTED = """
import os, sys
names = "f", "g", "h"
opened = [open(sys.argv[1] + "/" + name, "w+b", buffering=0) for name in names]
for file, name in zip(opened, names): file.write(name.encode())
print("ready", flush=True); sys.stdin.readline()
new = sys.argv[1] + "/new"
os.stat(new)  # the server is there again, and has given the handles to nobody yet
late = open(new, "rb", buffering=0)
os.copy_file_range(opened[1].fileno(), opened[2].fileno(), 1, 0, 1)
print([os.pread(file.fileno(), 9, 0) for file in [*reversed(opened), late]])
os.pwrite(opened[0].fileno(), b"after!", 0); os.fsync(opened[0].fileno())
print([os.pread(file.fileno(), 9, 0) for file in opened])
"""


def test_restarted_file_server_goes_on_with_open_files(ssi: Ssi, place: str) -> None:
    with patient(ssi) as folder:
        sh(ssi, "n2", "echo new > /srv/t/new")
        command = ssi.host("n1").ssh_command("python3", "-c", RESTARTED, folder)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == b"ready\n"
            old = sh(ssi, "n2", "pgrep -x ssi-files").strip()
            sh(ssi, "n2", f"kill -9 {old}")
            out = program.communicate(b"\n", timeout=PATIENCE_S)[0].decode()
        assert out == "[b'hg', b'g', b'f', b'new\\n']\n[b'after!', b'g', b'hg']\n"


def test_signals_do_not_double_what_is_appended_while_the_link_is_cut(ssi: Ssi, place: str) -> None:
    """A write that fails with EINTR is tried again: it must not have been done."""
    n2 = ssi.host("n2")

    def count() -> int:
        return int(sh(ssi, "n2", "cat /srv/t/log 2> /dev/null | wc -l"))

    with patient(ssi) as folder, appending(ssi, f"{folder}/log") as program:
        eventually(lambda: count() > 20, what="it writes")
        n2.cut()
        time.sleep(1.5)
        n2.heal()
        so_far = count()
        eventually(lambda: count() > so_far + 20, what="it writes on")
        sh(ssi, "n2", "touch /srv/t/log.stop")
        assert program.wait(PATIENCE_S) == 0
    numbers = [int(line) for line in sh(ssi, "n2", "cat /srv/t/log").split()]
    assert numbers == list(range(len(numbers)))
