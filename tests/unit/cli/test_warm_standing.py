"""What a warm process can match of a caller's standing, and what makes it step back."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from ssi.cli.warm.standing import RIGHTS, Standing, numbers_in, parse_status, shortfall, standing_of

UNLIMITED = -1
MINE = Standing(
    rights=dict.fromkeys(RIGHTS, "0"),
    capabilities=0,
    umask=0o22,
    blocked=0,
    ignored=0,
    limits={7: (1024, 4096)},
    nice=0,
    oom_score_adj=0,
    cpus=frozenset({0, 1}),
)
ALL_POWERS = (1 << 41) - 1


def test_an_equal_is_served() -> None:
    assert shortfall(MINE, MINE) == ""


@pytest.mark.parametrize(
    "theirs",
    [
        replace(MINE, umask=0o77, blocked=1, ignored=2, cpus=frozenset({1})),
        replace(MINE, nice=5, oom_score_adj=100),
        replace(MINE, limits={7: (4096, 4096)}),
        replace(MINE, limits={7: (10, 20)}),
    ],
)
def test_what_a_child_can_assume_is_served(theirs: Standing) -> None:
    assert shortfall(MINE, theirs) == ""


@pytest.mark.parametrize(
    ("theirs", "reason"),
    [
        (replace(MINE, rights={**MINE.rights, "NoNewPrivs": "1"}), "NoNewPrivs differs"),
        (replace(MINE, rights={**MINE.rights, "Groups": "0 5"}), "Groups differs"),
        (replace(MINE, limits={7: (1024, 8192)}), "limit 7 is lower here"),
        (replace(MINE, limits={7: (1024, UNLIMITED)}), "limit 7 is lower here"),
        (replace(MINE, nice=-1), "niceness is higher here"),
        (replace(MINE, oom_score_adj=-1), "oom_score_adj is higher here"),
    ],
)
def test_what_no_child_can_assume_is_refused(theirs: Standing, reason: str) -> None:
    assert shortfall(MINE, theirs) == reason


def test_capabilities_lift_limits_and_niceness() -> None:
    mine = replace(MINE, capabilities=ALL_POWERS)
    theirs = replace(mine, limits={7: (1, UNLIMITED)}, nice=-5, oom_score_adj=-9)
    assert shortfall(mine, theirs) == ""


def test_no_limit_is_higher_than_an_unlimited_one() -> None:
    mine = replace(MINE, limits={7: (1024, UNLIMITED)})
    assert shortfall(mine, replace(MINE, limits={7: (1024, 2**40)})) == ""


def test_own_standing_is_read_from_proc() -> None:
    own = standing_of(os.getpid())
    assert set(own.rights) == set(RIGHTS)
    assert own.rights["Uid"].split()[1] == str(os.geteuid())
    assert own.cpus == os.sched_getaffinity(0)
    assert shortfall(own, own) == ""


def test_status_lines_are_read_by_name() -> None:
    assert parse_status("Umask:\t0022\nGroups:\t \n") == {"Umask": "0022", "Groups": ""}


def test_signals_are_counted_from_one() -> None:
    assert numbers_in(0b1001) == {1, 4}
    assert numbers_in(1 << 63) == {64}
