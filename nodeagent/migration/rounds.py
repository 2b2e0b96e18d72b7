"""When memory goes ahead of a job, and how often: decided here. No I/O.

Each round sends what was written to during the one before. That is worth it as long as less is left
each time, for in the end the job stands still for what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from ssi.model.migration import Live

LARGE_BYTES: Final = 256 * 1024 * 1024
"""Memory of a job that is copied ahead without being asked: it would stand still for half a second
on a link of any speed (``bench/README.md``)."""

MOST: Final = 6
"""Rounds at the most; what five of them did not make small, a sixth hardly does."""

SHORT_S: Final = 0.05
"""What is left is little enough where it would take no longer, at the speed of the first round:
about as long as all of a small job."""

SHRINKS: Final = 0.7
"""A round of more than that part of the one before shows that the job writes as fast as we send."""


class Round(NamedTuple):
    """One round.

    Attributes:
        size_bytes: Of its images.
        took_s: Until they were at the destination.
    """

    size_bytes: int
    took_s: float


def best_live(memory_bytes: int, *, tracks_writes: bool, is_frozen: bool) -> Live:
    """How a move is made for which nothing was asked.

    Args:
        memory_bytes: Of the job, about.
        tracks_writes: The kernel tells which pages were written to.
        is_frozen: The job stands still anyway.
    """
    ahead = tracks_writes and not is_frozen and memory_bytes >= LARGE_BYTES
    return Live.PRE if ahead else Live.STOP


def may_begin(memory_bytes: int, room_bytes: int) -> bool:
    """Whether there is room for a round, and for a job after it that wrote to all of its memory."""
    return 2 * memory_bytes <= room_bytes


def goes_on(rounds: Sequence[Round], room_bytes: int) -> bool:
    """Whether another round is worth it.

    Args:
        rounds: Those that were, at least one.
        room_bytes: For images, in all, at the source and at the destination.
    """
    first, last = rounds[0], rounds[-1]
    left_s = first.took_s * last.size_bytes / max(first.size_bytes, 1)
    shrinks = len(rounds) == 1 or last.size_bytes <= SHRINKS * rounds[-2].size_bytes
    taken = sum(each.size_bytes for each in rounds)
    fits = taken + last.size_bytes + first.size_bytes <= room_bytes
    return len(rounds) < MOST and left_s > SHORT_S and shrinks and fits
