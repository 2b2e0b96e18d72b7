"""Sizes, durations and ages as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssi.view import quantity


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0B"),
        (999, "999B"),
        (1000, "1.0K"),
        (1536, "1.5K"),
        (10 * 1024, "10K"),
        (1000 * 1024, "1.0M"),
        (8 << 30, "8.0G"),
        (15.6 * (1 << 30), "16G"),
        (3 << 40, "3.0T"),
    ],
)
def test_sizes_have_three_digits_at_most(count: float, text: str) -> None:
    assert quantity.size(count) == text


@given(st.integers(0, 2**69))
def test_no_size_is_wider_than_five_characters(count: int) -> None:
    assert len(quantity.size(count)) <= 5


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (7.9, "0:07"), (187, "3:07"), (360_000, "6000:00")]
)
def test_cpu_time_is_minutes_and_seconds(seconds: float, text: str) -> None:
    assert quantity.cpu_time(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "00:00"), (65, "01:05"), (3_725, "01:02:05"), (90_061, "1-01:01:01")],
)
def test_elapsed_is_as_of_ps(seconds: float, text: str) -> None:
    assert quantity.elapsed(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.31, "0.3s"),
        (9.96, "9s"),
        (12.7, "12s"),
        (119, "119s"),
        (120, "2m"),
        (7200, "2h"),
        (172_800, "2d"),
        (math.inf, "never"),
        (-0.2, "0.0s"),
    ],
)
def test_ages_are_rough(seconds: float, text: str) -> None:
    assert quantity.age(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (59, "0 min"),
        (240, "4 min"),
        (11_040, "3:04"),
        (97_440, "1 day, 3:04"),
        (1_047_840, "12 days, 3:04"),
    ],
)
def test_time_up_is_as_of_uptime(seconds: float, text: str) -> None:
    assert quantity.time_up(seconds) == text


@pytest.mark.parametrize(
    ("value", "signed", "text"),
    [
        (0.0, False, "0.00ms"),
        (0.254, False, "0.25ms"),
        (3.14, True, "+3.1ms"),
        (-3.14, True, "-3.1ms"),
        (12.4, False, "12ms"),
        (999.7, False, "1.0s"),
        (-61_000, True, "-61s"),
    ],
)
def test_milliseconds_keep_two_digits(value: float, signed: bool, text: str) -> None:
    assert quantity.milliseconds(value, signed=signed) == text


def test_nothing_of_nothing_is_no_share() -> None:
    assert quantity.used_of(0, 0) == "-"
    assert quantity.used_of(1 << 30, 8 << 30) == "1.0G/8.0G"
