"""Percent of GPUs, of counters at two times."""

from __future__ import annotations

from nodeagent.gpuuse import GpuLedger
from nodeagent.mechanism.drm import DrmClient, Engine
from ssi.model.counters import GpuUse


def client(number: int = 1, *, memory: int = 0, **engines: Engine) -> DrmClient:
    return DrmClient("0000:03:00.0", number, engines, memory)


def test_the_busiest_kind_of_engine_counts_and_kinds_of_many_are_shared_out() -> None:
    ledger = GpuLedger()
    first = client(render=Engine(0), video=Engine(0, units=2))
    assert ledger.observe({5: [first]}, 100.0) == {5: GpuUse(0.0, 0)}
    second = client(render=Engine(500_000_000), video=Engine(1_600_000_000, units=2), memory=9)
    assert ledger.observe({5: [second]}, 102.0) == {5: GpuUse(40.0, 9)}


def test_cycles_are_a_share_of_all_cycles_whatever_the_clock_says() -> None:
    ledger = GpuLedger()
    ledger.observe({5: [client(rcs=Engine(100, 1000))]}, 0.0)
    used = ledger.observe({5: [client(rcs=Engine(350, 2000))]}, 7.0)
    assert used == {5: GpuUse(25.0, 0)}


def test_a_client_counts_once_for_the_lowest_pid() -> None:
    ledger = GpuLedger()
    ledger.observe({9: [client(gfx=Engine(0))], 5: [client(gfx=Engine(0))]}, 0.0)
    now = client(gfx=Engine(500_000_000), memory=7)
    other = client(2, gfx=Engine(10**9))
    used = ledger.observe({9: [now, other], 5: [now, now]}, 1.0)
    assert used == {5: GpuUse(50.0, 7), 9: GpuUse(0.0, 0)}, "another client is new, and at 0 %"


def test_counters_that_fall_back_count_again_only_from_where_they_were() -> None:
    ledger = GpuLedger()
    for busy, now_s, percent in [(10**9, 0, 0.0), (5 * 10**8, 1, 0.0), (15 * 10**8, 2, 50.0)]:
        used = ledger.observe({5: [client(gfx=Engine(busy))]}, float(now_s))
        assert used[5].percent == percent


def test_looks_that_follow_too_closely_are_told_the_same() -> None:
    ledger = GpuLedger()
    ledger.observe({5: [client(gfx=Engine(0))]}, 0.0)
    used = ledger.observe({5: [client(gfx=Engine(10**9))]}, 1.0)
    assert used == {5: GpuUse(100.0, 0)}
    assert ledger.observe({}, 1.1) == used
    assert ledger.observe({}, 2.0) == {}
