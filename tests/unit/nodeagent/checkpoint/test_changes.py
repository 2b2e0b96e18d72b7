from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from nodeagent.checkpoint.changes import changes, settled
from nodeagent.migration.describe import describe_file
from nodeagent.migration.plan import Item
from ssi.model.checkpoint import FilesRule
from ssi.protocol.migration import FileMeta

SAME, REWIND, AS_IS = FilesRule.SAME, FilesRule.REWIND, FilesRule.AS_IS


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path.resolve() / "log"
    path.write_bytes(b"x" * 3000)
    return path


def as_now(path: Path) -> tuple[FileMeta, ...]:
    return (describe_file(Item(path=str(path), link=str(path), writable=True)),)


def test_a_file_that_is_as_it_was_is_nobodys_concern(log: Path) -> None:
    metas = as_now(log)
    assert [changes(metas, rule) for rule in FilesRule] == [[], [], []]
    assert settled(metas, SAME) == metas


def test_one_that_has_grown_is_cut_back_only_where_that_is_wanted(log: Path) -> None:
    metas = as_now(log)
    with log.open("ab") as file:
        file.write(b"more")
    (reason,) = changes(metas, SAME)
    assert "has grown by 4 bytes" in reason
    assert log.stat().st_size == 3004
    assert changes(metas, REWIND) == []
    (now,) = settled(metas, REWIND)
    assert log.read_bytes() == b"x" * 3000
    assert now.digests == metas[0].digests


def test_one_that_somebody_writes_is_not_cut_back(log: Path) -> None:
    metas = as_now(log)
    with log.open("ab") as file:
        file.write(b"more")
        file.flush()
        with subprocess.Popen(["/bin/sleep", "300"], stdout=file) as writer:
            try:
                (reason,) = changes(metas, REWIND)
                assert f"process {writer.pid} has it open: it is not cut off" in reason
                with pytest.raises(OSError, match="has it open"):
                    settled(metas, REWIND)
            finally:
                writer.kill()
    assert log.stat().st_size == 3004


@pytest.mark.parametrize("content", [b"y" * 3000, b"x" * 2999, b"y" * 4000])
def test_one_of_another_beginning_is_refused_and_left_alone(log: Path, content: bytes) -> None:
    metas = as_now(log)
    log.write_bytes(content)
    for rule in (SAME, REWIND):
        assert "not as it was" in changes(metas, rule)[0]
        with pytest.raises(OSError, match="not as it was"):
            settled(metas, rule)
    assert changes(metas, AS_IS) == []
    assert log.read_bytes() == content


def test_a_file_of_somebody_else_is_never_cut_through_a_link(log: Path) -> None:
    """1. A job has an empty file open. 2. Its user puts a link to another file in its place."""
    log.write_bytes(b"")
    metas = as_now(log)
    precious = log.with_name("precious")
    precious.write_bytes(b"precious")
    log.unlink()
    log.symlink_to(precious)
    for rule in FilesRule:
        assert changes(metas, rule) != []
    with pytest.raises(OSError):
        settled(metas, REWIND)
    assert precious.read_bytes() == b"precious"


def test_a_link_in_a_directory_above_is_seen_too(log: Path) -> None:
    inner = log.parent / "inner"
    inner.mkdir()
    (inner / "log").write_bytes(b"")
    metas = as_now(inner / "log")
    (inner / "log").unlink()
    inner.rmdir()
    other = log.parent / "other"
    other.mkdir()
    (other / "log").write_bytes(b"precious")
    inner.symlink_to(other)
    for rule in FilesRule:
        assert "leads elsewhere" in changes(metas, rule)[0]
    with pytest.raises(OSError, match="leads elsewhere"):
        settled(metas, REWIND)
    assert (other / "log").read_bytes() == b"precious"


def test_another_mode_and_a_named_pipe_are_refused_by_every_rule(log: Path) -> None:
    metas = as_now(log)
    log.chmod(0o600 if log.stat().st_mode & 0o077 else 0o644)
    assert all("another owner or mode" in changes(metas, rule)[0] for rule in FilesRule)
    log.unlink()
    os.mkfifo(log)
    assert all("no regular file" in changes(metas, rule)[0] for rule in FilesRule)


def test_a_file_that_is_gone_is_left_to_the_destination(log: Path) -> None:
    metas = as_now(log)
    log.unlink()
    assert changes(metas, SAME) == []
    assert settled(metas, SAME) == metas
