"""What every test may rely on."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Signals act as in a terminal: a shell without job control starts its jobs with ^C ignored.

    What a test starts inherits that, and would never see the interrupt that the test sends it.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
