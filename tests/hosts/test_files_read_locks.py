"""fcntl(2) locks by descriptors that only read, of whose closes the kernel tells the last alone."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.hosts.system import PATIENCE_S, Ssi, eventually
from tests.hosts.test_files import place, sh
from tests.hosts.test_files_heal import replace_worker

__all__ = ["place"]

LOCKER = """
import fcntl, os, signal, sys
path, deed = sys.argv[1], sys.argv[2]
file = os.open(path, os.O_RDONLY)
fcntl.lockf(file, fcntl.LOCK_SH)
if deed == "again":  # from now on each close is told
    os.close(file); file = os.open(path, os.O_RDONLY); fcntl.lockf(file, fcntl.LOCK_SH)
child = os.fork() if deed != "close" else -1
if not child:  # it has the file open, and no lock
    for number in range(3): os.close(number)
    signal.alarm(300); signal.pause()
print("locked", child, flush=True); os.read(0, 1)
if deed == "end": os._exit(0)
os.close(file)
print("closed", flush=True); os.read(0, 1)
"""

GIVEN_BACK_WITHIN_S = PATIENCE_S / 4
"""Well before the server takes back, after 40 s, what belongs to a mount that is silent."""

SILENT_S = 4.0
"""After this the mount knows that nobody is there."""

GIVEN_UP_AFTER_S = 7.0
"""After this, the deadline of 5 s and a little, what was asked is given up."""

TRIES = "import fcntl; f = open({!r}, 'r+'); fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)"


@contextmanager
def locked(ssi: Ssi, path: str, deed: str) -> Iterator[subprocess.Popen[bytes]]:
    sh(ssi, "n2", f"touch {path}")
    line = ssi.host("n1").ssh_command("python3", "-c", LOCKER, path, deed)
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as locker:
        assert locker.stdout is not None
        word, child = locker.stdout.readline().split()
        assert word == b"locked"
        yield locker
        locker.communicate(timeout=PATIENCE_S)
    if int(child) > 0:
        sh(ssi, "n1", f"kill {int(child)}")


def is_free(ssi: Ssi, path: str) -> bool:
    """As a program of the file's own node sees it."""
    tried = ssi.host("n2").run("python3", "-c", TRIES.format(path))
    assert tried.returncode == 0 or b"BlockingIOError" in tried.stderr, tried
    return tried.returncode == 0


def go_on(locker: subprocess.Popen[bytes]) -> None:
    assert locker.stdin is not None
    locker.stdin.write(b"\n")
    locker.stdin.flush()


@pytest.mark.parametrize("deed", ["close", "again", "end"])
def test_a_lock_ends_as_its_process_lets_go_of_it(ssi: Ssi, place: str, deed: str) -> None:
    """``end``: its child has the descriptor yet, so there is no last close."""
    path = f"{place}/{deed}"
    with locked(ssi, path, deed) as locker:
        assert not is_free(ssi, path)
        go_on(locker)
        if deed != "end":
            assert locker.stdout is not None
            assert locker.stdout.readline() == b"closed\n"
        eventually(
            lambda: is_free(ssi, path), what="it is given back", within_s=GIVEN_BACK_WITHIN_S
        )


def test_a_lock_ends_so_though_the_worker_was_killed(ssi: Ssi, place: str) -> None:
    path = f"{place}/killed"
    with locked(ssi, path, "end") as locker:
        replace_worker(ssi)
        assert not is_free(ssi, path)
        go_on(locker)
        eventually(
            lambda: is_free(ssi, path), what="it is given back", within_s=GIVEN_BACK_WITHIN_S
        )


def test_a_lock_ends_so_though_its_node_is_away_meanwhile(ssi: Ssi, place: str) -> None:
    path, away = f"{place}/away", ssi.host("n2")
    with locked(ssi, path, "end") as locker:
        away.cut()
        try:
            time.sleep(SILENT_S)
            go_on(locker)
            locker.wait(PATIENCE_S)
            time.sleep(GIVEN_UP_AFTER_S)
        finally:
            away.heal()
        eventually(
            lambda: is_free(ssi, path), what="it is given back", within_s=GIVEN_BACK_WITHIN_S
        )
