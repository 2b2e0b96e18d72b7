"""Freed memory is kept while it is wanted, and no longer."""

from __future__ import annotations

import resource
from pathlib import Path

from nodeagent.mechanism.allocator import Allocator

PIECE_BYTES = 1024 * 1024
PIECES = 64


def faults_of_copies() -> int:
    """How often the kernel had to give a page for a row of pieces, each freed before the next."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(PIECES):
        pair = bytearray(PIECE_BYTES), bytearray(PIECE_BYTES)
        del pair
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_pieces_are_made_of_memory_that_is_there_already() -> None:
    allocator = Allocator()
    allocator.keep()
    try:
        faults_of_copies()
        warm = faults_of_copies()
    finally:
        allocator.give_back()
    assert warm < PIECES * PIECE_BYTES // 4096 // 10


def test_what_is_free_goes_back_to_the_kernel() -> None:
    def resident_bytes() -> int:
        resident = Path("/proc/self/statm").read_text().split()[1]
        return int(resident) * resource.getpagesize()

    allocator = Allocator()
    allocator.keep()
    row = [bytearray(b"x" * PIECE_BYTES) for _ in range(16)]
    del row
    kept = resident_bytes()
    allocator.give_back()
    assert not allocator.keeps
    assert kept - resident_bytes() > 8 * PIECE_BYTES
