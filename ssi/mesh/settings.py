"""The times of membership, and what each trades."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How often members are probed and how long silence lasts before it means something.

    Attributes:
        probe_interval_s: Between two probes of one member. Shorter finds deaths sooner and costs
            two messages per member and interval.
        suspect_after_s: Silence that makes a suspect: two probes lost, and some slack for a busy
            peer. A suspect is still asked.
        dead_after_s: Silence that makes a death. It is below 5 s, so that a node that was killed
            right after a probe is shown dead within 5 s of its death; it is above 4 probes, so
            that a machine that pauses for 3 s is not given up.
    """

    probe_interval_s: float = 1.0
    suspect_after_s: float = 2.3
    dead_after_s: float = 4.2

    def __post_init__(self) -> None:
        assert 0 < self.probe_interval_s < self.suspect_after_s < self.dead_after_s
