"""Files as rows, objects and columns."""

from __future__ import annotations

import stat

import pytest

from ssi.view.files import FileRow, file_listing, in_columns
from ssi.view.listing import Format, Way, render
from tests.schema import breaches

ROW = FileRow(
    place="n1:/etc/x",
    node="n1",
    path="/etc/x",
    name="x\x1b[2J",
    mode=stat.S_IFLNK | 0o777,
    links=1,
    user="ada",
    group="users",
    size_bytes=12,
    modified_at_s=0.5,
    target="y\n",
)


def test_line_is_that_of_ls_and_moves_no_cursor() -> None:
    line = render(file_listing([ROW]), Way(headers=False))
    assert line.startswith("lrwxrwxrwx")
    assert line.rstrip().endswith("x\\x1b[2J -> y\\n")
    assert render(file_listing([ROW]), Way(format=Format.NAME)) == "n1:/etc/x\n"


def test_objects_keep_the_promise_of_the_schema() -> None:
    objects = file_listing([ROW]).objects("")
    assert not breaches(objects, "ls")
    assert (objects[0]["kind"], objects[0]["mode"]) == ("link", "0777")


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        (None, "a\nbb\nccc\ndddd\n"),
        (80, "a     bb    ccc   dddd\n"),
        (12, "a     ccc\nbb    dddd\n"),
        (1, "a\nbb\nccc\ndddd\n"),
    ],
)
def test_names_stand_below_each_other(cells: int | None, text: str) -> None:
    assert in_columns(["a", "bb", "ccc", "dddd"], cells) == text
    assert in_columns([], cells) == ""
