"""A description of a file never claims what was written while it was made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nodeagent.mechanism import digest
from nodeagent.mechanism.digest import sha256
from nodeagent.migration.describe import describe_file, description_of
from nodeagent.migration.plan import Item

if TYPE_CHECKING:
    from _hashlib import HASH


def test_what_is_written_behind_the_reader_shows_as_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "table"
    file.write_bytes(b"before")
    os.utime(file, ns=(0, 0))
    item = Item(path=str(file), link=str(file), writable=True)
    described = describe_file(item)
    assert description_of(item, {item.path: described}) is described
    assert description_of(item, {}) is None

    def digest_and_overwrite(data: memoryview) -> HASH:
        digested = sha256(data)
        with file.open("r+b") as table:
            table.write(b"behind")
        return digested

    monkeypatch.setattr(digest, "sha256", digest_and_overwrite)
    described = describe_file(item)
    assert description_of(item, {item.path: described}) is None


def test_a_named_pipe_is_described_without_being_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    path = str(tmp_path / "pipe")
    described = describe_file(Item(path=path, link=path, writable=True, is_fifo=True))
    assert (described.kind, described.digests, described.mode) == ("fifo", (), 0o600)
