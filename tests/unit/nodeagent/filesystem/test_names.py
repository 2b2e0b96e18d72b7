"""Whether the times of a directory tell that its names are the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nodeagent.filesystem.server.names import RESTED_NS, has_rested, is_unchanged
from ssi.protocol.filereplies import ATTRIBUTES


def attributes(**changed: int) -> bytes:
    values = dict.fromkeys(
        ["ino", "size", "blocks", "atime", "mtime", "ctime", "atime_ns", "mtime_ns", "ctime_ns",
         "mode", "nlink", "uid", "gid", "rdev", "block", "flags"], 7
    )  # fmt: skip
    return ATTRIBUTES.pack(*(values | changed).values())


@pytest.mark.parametrize(
    ("field", "unchanged"),
    [("atime", True), ("atime_ns", True), ("mtime_ns", False), ("ctime", False),
     ("ctime_ns", False), ("size", False), ("ino", False)],
)  # fmt: skip
def test_names_are_the_same_where_nothing_changed_but_when_they_were_read(
    field: str, unchanged: bool
) -> None:
    assert is_unchanged(attributes(), attributes(**{field: 8})) is unchanged


def test_directory_has_rested_once_its_clock_must_have_moved_on(tmp_path: Path) -> None:
    found = os.stat(tmp_path)
    changed_ns = max(found.st_mtime_ns, found.st_ctime_ns)
    assert has_rested(found, changed_ns + RESTED_NS + 1, {found.st_dev})
    assert not has_rested(found, changed_ns + RESTED_NS, {found.st_dev})
    assert not has_rested(found, changed_ns + 10 * RESTED_NS, {found.st_dev + 1})
