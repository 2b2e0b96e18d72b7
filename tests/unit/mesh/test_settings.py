"""The formulas of the settings, as tables."""

from __future__ import annotations

import pytest

from ssi.mesh.settings import LAN, WAN, Settings


@pytest.mark.parametrize(("members", "lasts_s"), [(1, 2.9), (8, 2.9), (10, 2.9), (1000, 8.7)])
def test_suspicion_grows_with_the_logarithm_of_the_members(members: int, lasts_s: float) -> None:
    assert LAN.shortest_suspicion_s(members) == pytest.approx(lasts_s)


@pytest.mark.parametrize(
    ("members", "pace_s"), [(1, 1.0), (8, 0.125), (16, 0.0625), (50, 0.0625), (51, 1.0)]
)
def test_up_to_sixteen_others_are_probed_in_each_period_and_up_to_fifty_in_turn(
    members: int, pace_s: float
) -> None:
    assert LAN.probe_pace_s(members) == pytest.approx(pace_s)


@pytest.mark.parametrize(("members", "wanted"), [(2, 0), (3, 0), (4, 2), (1000, 2)])
def test_confirmations_are_awaited_only_where_members_can_give_them(
    members: int, wanted: int
) -> None:
    assert LAN.confirmations_of(members) == wanted


def test_killed_member_is_dead_within_five_seconds_and_a_pause_of_three_is_survived() -> None:
    """Of a small mesh on one site; the simulation and the hosts show it, and this is why."""
    latest_s = LAN.probe_interval_s + LAN.fail_after_s + LAN.shortest_suspicion_s(8)
    soonest_s = LAN.fail_after_s + LAN.shortest_suspicion_s(8)
    assert latest_s < 5.0
    assert soonest_s > 3.5


def test_distant_sites_know_of_a_death_within_half_a_minute_and_survive_silence_of_24_s() -> None:
    latest_s = WAN.probe_interval_s + WAN.fail_after_s + WAN.shortest_suspicion_s(8)
    assert latest_s < 30.0
    assert WAN.fail_after_s + WAN.shortest_suspicion_s(8) > 24.0


def test_distant_sites_wait_longer_for_everything() -> None:
    assert WAN.ack_timeout_s > LAN.ack_timeout_s
    assert WAN.shortest_suspicion_s(8) > LAN.shortest_suspicion_s(8)


@pytest.mark.parametrize(
    ("nack_s", "ack_s", "fail_s"), [(0.4, 0.4, 0.9), (0.3, 0.65, 0.9), (0.3, 0.4, 1.1)]
)
def test_settings_out_of_order_are_a_bug(nack_s: float, ack_s: float, fail_s: float) -> None:
    with pytest.raises(AssertionError):
        Settings(nack_after_s=nack_s, ack_timeout_s=ack_s, fail_after_s=fail_s)


@pytest.mark.parametrize(("members", "pace_s"), [(2, 0.2), (50, 0.2), (51, 0.5), (1000, 0.5)])
def test_rounds_of_gossip_are_rarer_in_a_large_mesh(members: int, pace_s: float) -> None:
    assert LAN.gossip_pace_s(members) == pytest.approx(pace_s)


@pytest.mark.parametrize(
    ("members", "parts"), [(1, 1), (50, 1), (51, 3), (1000, 62), (100_000, 256)]
)
def test_only_large_views_are_compared_in_parts(members: int, parts: int) -> None:
    assert LAN.parts(members) == parts


@pytest.mark.parametrize(("members", "times", "of"), [(8, 2, 4), (50, 4, 7), (1000, 4, 13)])
def test_corrections_are_told_half_as_often_as_news_or_a_quarter(
    members: int, times: int, of: int
) -> None:
    assert (LAN.corrections(members), LAN.repeats(members)) == (times, of)
