"""Errors as lines, and those of many nodes as one."""

from __future__ import annotations

from ssi.model.errors import SsiError, UsageError
from ssi.protocol.refusals import LinkDown, NodeDown, NotPermitted, TimedOut
from ssi.view.complaints import error_line, folded_lines


def test_a_line_says_what_and_what_to_try_and_ends_with_the_code() -> None:
    error = UsageError(text="no\x1b[2J such\nthing", hint="try another")
    assert error_line(error) == "no\\x1b[2J such\\nthing; try another [usage]"


def test_nodes_that_fail_alike_share_a_line_that_begins_with_them() -> None:
    failures: dict[str, SsiError] = {
        f"n{n}": NotPermitted(node=f"n{n}", user="ada", deed="look") for n in range(3, 10)
    }
    lines = folded_lines(failures)
    assert len(lines) == 1
    assert lines[0].startswith("n[3-9]")
    assert lines[0].endswith("[not-permitted]")


def test_times_may_differ_and_the_longest_is_told() -> None:
    failures: dict[str, SsiError] = {
        "n1": NodeDown(node="n1", silent_s=12.0),
        "n2": NodeDown(node="n2", silent_s=40.0),
    }
    (line,) = folded_lines(failures)
    assert line.startswith("n[1-2] does not answer (silent for 40 s); ")
    assert "ssi up n[1-2]" in line


def test_reasons_that_name_the_node_are_alike() -> None:
    failures: dict[str, SsiError] = {
        name: LinkDown(node=name, reason=f"{name} refused") for name in ("n1", "n2")
    }
    (line,) = folded_lines(failures)
    assert "n[1-2] refused" in line


def test_other_errors_keep_their_own_lines() -> None:
    failures: dict[str, SsiError] = {
        "n1": NodeDown(node="n1", silent_s=12.0),
        "n2": TimedOut(node="n2", request="Look", after_s=1.0),
        "n3": UsageError(text="what is that"),
    }
    lines = folded_lines(failures)
    assert [line.split()[0] for line in lines] == ["n1", "n2", "n3:"]
