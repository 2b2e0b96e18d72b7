"""Counters of the kernel, as its files have them."""

from __future__ import annotations

from pathlib import Path

from nodeagent.mechanism.hostcounters import (
    parse_cores,
    parse_disks,
    parse_network,
    parse_pressure,
    read_counters,
)

STAT = """cpu  300 0 100 600 100 0 0 0 50 0
cpu0 200 0 50 200 50 0 0 0 50 0
cpu1 100 0 50 400 50 0 0 0 0 0
intr 12345
"""
NET = """Inter-|   Receive                            |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes packets
    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0
  eth0: 1000 1 0 0 0 0 0 0 50 1 0 0 0 0 0 0
 wlan0:24 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0
"""
DISKS = """   8  0 sda 10 0 100 5 10 0 200 5 0 5 10
   8  1 sda1 10 0 100 5 10 0 200 5 0 5 10
 259  0 nvme0n1 1 0 2 5 10 0 4 5 0 5 10
 259  1 nvme0n1p1 1 0 2 5 10 0 4 5 0 5 10
   7  0 loop0 10 0 800 5 10 0 800 5 0 5 10
 253  0 dm-0 10 0 800 5 10 0 800 5 0 5 10
"""


def test_waiting_for_io_is_not_busy_and_guests_are_counted_once() -> None:
    assert parse_cores(STAT) == ((250, 500), (150, 600))


def test_the_loopback_is_no_network() -> None:
    assert parse_network(NET) == (1024, 56)


def test_partitions_and_what_is_made_of_disks_are_not_counted_again() -> None:
    assert parse_disks(DISKS) == (102 * 512, 204 * 512)


def test_pressure_is_of_some_over_ten_seconds() -> None:
    text = "some avg10=1.53 avg60=0.5 avg300=0 total=1\nfull avg10=0 avg60=0 avg300=0 total=0\n"
    assert parse_pressure(text) == 1.53
    assert parse_pressure("") is None


def test_a_kernel_without_these_files_counts_nothing(tmp_path: Path) -> None:
    counters = read_counters(tmp_path)
    assert (counters.cores, counters.pressure, counters.read_bytes) == ((), None, 0)


def test_this_machine_has_counted() -> None:
    counters = read_counters()
    assert counters.cores
    assert all(0 <= busy <= total for busy, total in counters.cores)
