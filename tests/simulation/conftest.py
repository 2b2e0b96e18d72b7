"""Options of the simulation: more seeds, or one again."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--seeds`` for a long run, ``--seed`` to replay one."""
    group = parser.getgroup("simulation")
    group.addoption("--seeds", type=int, default=2000, help="How many made-up runs of the mesh.")
    group.addoption("--seed", type=int, default=None, help="Replay this run alone.")
