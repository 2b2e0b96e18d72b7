"""What every test may rely on."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings

# How long an example takes says more of the machine's other work than of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_configure() -> None:
    """Signals act as in a terminal: a shell without job control starts its jobs with ^C ignored.

    ``nohup`` does so with SIGHUP. What a test starts inherits that, and would never see the signal
    that the test sends it.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--whole-table`` for every step and fault of a move; it takes a quarter of an hour."""
    parser.addoption("--pictures", action="store_true", help="Takes docs/pictures anew.")
    parser.addoption("--whole-table", action="store_true", help="All steps and faults of moves.")
    parser.addoption(
        "--files-seconds", type=float, default=6.0, help="How long random operations on files take."
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what only the whole table has, unless it is asked for."""
    if config.getoption("--whole-table"):
        return
    left_out = [item for item in items if item.get_closest_marker("whole_table")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("whole_table")]
