"""Which jobs a tour takes for those of an earlier one."""

from __future__ import annotations

import pytest

from ssi.cli.tour import COMPRESSION, NUMBERS, is_left_over


@pytest.mark.parametrize(
    ("args", "ended_at_s", "is_one"),
    [
        ([*COMPRESSION], None, True),
        ([*COMPRESSION], 1.5, False),
        (["xz", NUMBERS], None, False),
        (["sleep", "1000"], None, False),
    ],
)
def test_only_a_job_that_a_tour_started_and_that_goes_on_is_ended(
    args: list[str], ended_at_s: float | None, is_one: bool
) -> None:
    assert is_left_over({"gpid": 1, "args": args, "ended_at_s": ended_at_s}) is is_one
