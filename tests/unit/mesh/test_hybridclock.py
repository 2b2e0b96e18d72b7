"""The clock that never goes back."""

from __future__ import annotations

from ssi.mesh.hybridclock import COUNTER_BITS, MAX_AHEAD_MS, HybridClock, wall_ms_of


def test_stamps_rise_while_the_wall_clock_goes_back() -> None:
    clock = HybridClock()
    stamps = [clock.stamp(wall_ms) for wall_ms in (1000, 1000, 500, 1001)]
    assert stamps == sorted(set(stamps))
    assert [wall_ms_of(stamp) for stamp in stamps] == [1000, 1000, 1000, 1001]


def test_what_is_said_after_a_stamp_was_seen_is_later() -> None:
    ours, theirs = HybridClock(), HybridClock()
    seen = theirs.stamp(9000)
    ours.observe(seen, 5000)
    assert ours.stamp(5000) > seen


def test_one_broken_clock_does_not_drag_the_others_along() -> None:
    clock = HybridClock()
    clock.observe((1000 + MAX_AHEAD_MS + 1) << COUNTER_BITS, 1000)
    assert wall_ms_of(clock.stamp(1000)) == 1000
