"""Installations of ssi: one that the tests of a module share, and one that a test may break."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.faces.installation import Installation, until


@pytest.fixture(scope="module")
def shared() -> Iterator[Installation]:
    yield from _installed()


@pytest.fixture
def fresh() -> Iterator[Installation]:
    yield from _installed()


def _installed() -> Iterator[Installation]:
    # The temporary directories of pytest are too long for the path of a socket.
    with TemporaryDirectory(prefix="ssi-", ignore_cleanup_errors=True) as root:
        installation = Installation(Path(root))
        yield installation
        for pid in installation.warm_pids():
            os.kill(pid, signal.SIGKILL)
        until(lambda: not installation.warm_pids())


@pytest.fixture
def ssi(shared: Installation) -> Installation:
    """With a warm process that answers."""
    if not shared.warm_pids():
        shared.warm_up()
    return shared
