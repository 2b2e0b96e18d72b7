"""What counts as new for somebody who looks at a terminal."""

from __future__ import annotations

import re

import pytest

from tests.hosts.seen import newly_seen

UP = re.compile(r"^up\s*$", re.MULTILINE)


@pytest.mark.parametrize(
    ("before", "now", "at_line"),
    [
        ("", "up\n", 0),
        ("$ run\n", "$ run\nup\n", 1),
        ("up\n", "up\n", None),  # the round before
        ("up\n\n\n", "up\n$ run\n", None),  # and what was blank below it
        ("up\n$ run\n", "up\n$ run\nup\n", 2),
        ("up\nup\n", "up\nup\n$ \n", None),
        ("up\n$ clear; run\n", "down\n", None),
        ("up\ndown\n", "$ \n", None),
    ],
)
def test_only_what_was_not_shown_before_is_new(before: str, now: str, at_line: int | None) -> None:
    found = newly_seen(UP, before, now)
    assert (None if found is None else now[: found.start()].count("\n")) == at_line


def test_what_differs_in_what_was_found_is_new() -> None:
    status = re.compile(r"^status=(\d+)", re.MULTILINE)
    found = newly_seen(status, "status=0\n", "status=0\nstatus=7\n")
    assert found is not None
    assert found[1] == "7"
