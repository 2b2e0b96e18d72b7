"""Entries that tests of the model share."""

from __future__ import annotations

from tests.unit.view.samples import process
from tui.model.entry import Entry


def entry(node: str = "n1", cpu_percent: float = 0.0, **changes: object) -> Entry:
    """The sample process on a node, with some fields changed."""
    return Entry(node, process(**changes), cpu_percent, 1.0)
