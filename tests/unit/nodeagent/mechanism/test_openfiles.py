"""Who has a file open."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from nodeagent.mechanism.openfiles import (
    _thing,
    mapping_link,
    read_open_things,
    writers_outside,
)


def test_who_asks_is_none_of_the_others_that_have_a_file_open(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with path.open("w") as mine:
        status = path.stat()
        wanted = frozenset({(status.st_dev, status.st_ino)})
        assert writers_outside(wanted, frozenset(), "") == {}
        with subprocess.Popen(["sleep", "60"], stdout=mine) as other:
            assert writers_outside(wanted, frozenset(), "") == {status.st_ino: other.pid}
            assert writers_outside(wanted, frozenset({other.pid}), "") == {}
            other.kill()


def test_what_its_machine_has_no_more_is_told_from_what_was_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _thing(1, "cwd", str(tmp_path), writable=False).kind == "directory"
    with pytest.raises(FileNotFoundError):
        _thing(1, "cwd", f"{tmp_path}/closed", writable=False)

    def stale(_descriptor: int) -> os.stat_result:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", stale)
        kind = _thing(1, "cwd", str(tmp_path), writable=False).kind
    assert kind == "gone"


WRITER = """
number=0
until [ -e enough ]; do
    : > file            # the shell has it as its stdout for a moment
    echo $number
    number=$((number + 1))
done
"""


LOOKS = 100
PATIENCE_S = 60.0
SEEN = {"file", "pipe"}


def test_to_look_takes_nothing_out_of_a_pipe_that_is_opened_meanwhile(tmp_path: Path) -> None:
    with subprocess.Popen(["sh", "-c", WRITER], cwd=tmp_path, stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        read: list[bytes] = []
        reader = threading.Thread(target=lambda: read.extend(shell.stdout or ()))
        reader.start()
        kinds: set[str] = set()
        give_up_at_s, looks = time.monotonic() + PATIENCE_S, 0
        while time.monotonic() < give_up_at_s and (looks < LOOKS or not kinds >= SEEN):
            looks += 1
            for thing in read_open_things([shell.pid]):
                if thing.where == "fd 1":
                    kinds.add(thing.kind)
        (tmp_path / "enough").touch()
        reader.join()
    assert kinds >= SEEN
    assert [int(line) for line in read] == list(range(len(read)))


def test_file_that_lost_the_name_by_which_it_was_opened_is_told(tmp_path: Path) -> None:
    path = tmp_path / "one"
    with path.open("w") as file:
        link = f"/proc/self/fd/{file.fileno()}"
        assert not _thing(os.getpid(), "fd 3", link, writable=True).has_lost_name
        (tmp_path / "two").hardlink_to(path)
        path.unlink()
        thing = _thing(os.getpid(), "fd 3", link, writable=True)
        assert (thing.path, thing.has_lost_name, thing.is_deleted) == (str(path), True, False)
        (tmp_path / "two").unlink()
        thing = _thing(os.getpid(), "fd 3", link, writable=True)
        assert (thing.path, thing.has_lost_name, thing.is_deleted) == (str(path), False, True)


def test_file_that_is_called_deleted_is_none(tmp_path: Path) -> None:
    path = tmp_path / "one (deleted)"
    with path.open("w") as file:
        thing = _thing(os.getpid(), "fd 3", f"/proc/self/fd/{file.fileno()}", writable=True)
    assert (thing.path, thing.has_lost_name) == (str(path), False)


@pytest.mark.parametrize(
    ("addresses", "name"),
    [
        ("0002e000-00030000", "2e000-30000"),
        ("00400000-00401000", "400000-401000"),
        ("7fb1071bf000-7fb1071c0000", "7fb1071bf000-7fb1071c0000"),
        ("00000000-00001000", "0-1000"),
    ],
)
def test_links_of_mappings_have_no_zeros_before(addresses: str, name: str) -> None:
    assert mapping_link("/proc/7", addresses) == f"/proc/7/map_files/{name}"


def test_a_mapping_at_a_low_address_is_found(tmp_path: Path) -> None:
    path = tmp_path / "low"
    path.write_bytes(bytes(4096))
    code = (
        "import ctypes, os, sys; libc = ctypes.CDLL(None); file = os.open(sys.argv[1], os.O_RDWR);"
        "libc.mmap.restype = ctypes.c_void_p; fixed, shared, readwrite = 0x10, 1, 3;"
        "libc.mmap(ctypes.c_void_p(0x400000), ctypes.c_size_t(4096), readwrite, shared | fixed,"
        " file, ctypes.c_long(0)); os.close(file); print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdout.readline()
        found = [each for each in read_open_things([child.pid]) if each.path == str(path)]
        child.stdin.close()
    assert [(each.where, each.writable) for each in found] == [("mapping", True)]
