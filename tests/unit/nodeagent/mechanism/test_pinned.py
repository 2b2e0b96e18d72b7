"""Links of /proc whose descriptor is another thing by the time they are followed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nodeagent.mechanism.pinned import open_regular, status_of


def test_a_pipe_in_the_place_of_a_file_is_neither_opened_nor_read() -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"whose")
    for end in (read_end, write_end):
        with pytest.raises(FileNotFoundError, match="no regular file"):
            open_regular(f"/proc/self/fd/{end}")
    os.close(write_end)
    assert os.read(read_end, 10) == b"whose"
    os.close(read_end)


def test_another_file_in_the_place_of_one_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "first").write_bytes(b"first")
    (tmp_path / "second").write_bytes(b"second")
    with (tmp_path / "first").open("rb") as held:
        link = f"/proc/self/fd/{held.fileno()}"
        status = status_of(link)
        seen = (status.st_dev, status.st_ino)
        descriptor = open_regular(link, seen)
        assert os.read(descriptor, 10) == b"first"
        os.close(descriptor)
        with (tmp_path / "second").open("rb") as other:
            os.dup2(other.fileno(), held.fileno())
        for look in (open_regular, status_of):
            with pytest.raises(FileNotFoundError, match="another thing"):
                look(link, seen)
        assert status_of(link).st_size == len(b"second")


def test_a_named_pipe_that_nobody_has_open_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError, match="no regular file"):
        open_regular(str(tmp_path / "pipe"))
