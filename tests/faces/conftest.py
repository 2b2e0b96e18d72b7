"""Installations of ssi, shared or to be broken, and a person at ``ssi top``."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.faces.fingers import Fingers, Story
from tests.faces.installation import Installation, until
from tests.faces.mesh import Mesh, connected
from tui.settings import Settings
from tui.top import Top


@pytest.fixture(scope="module")
def shared() -> Iterator[Installation]:
    yield from _installed()


@pytest.fixture
def fresh() -> Iterator[Installation]:
    yield from _installed()


@pytest.fixture
def hasty() -> Iterator[Installation]:
    """One that soon does without a warm process that does not answer, as it is for people."""
    yield from _installed(accept_s=0.5)


def _installed(**options: float) -> Iterator[Installation]:
    # The temporary directories of pytest are too long for the path of a socket.
    with TemporaryDirectory(prefix="ssi-", ignore_cleanup_errors=True) as root:
        installation = Installation(Path(root), **options)
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


@pytest.fixture
def tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Mesh]:
    """Plays a story in front of a mesh; the order is held until the story itself lets go of it."""
    monkeypatch.setattr("tui.model.browser.HOLD_S", 1e6)

    def play(
        story: Story, mesh: Mesh | None = None, *, size: tuple[int, int] = (100, 30), **set_: Any
    ) -> Mesh:
        mesh = mesh or Mesh()

        async def at_the_screen() -> None:
            async with connected(mesh, tmp_path) as system:
                top = Top(system, Settings(**{"every_s": 0.05, **set_}))
                async with top.run_test(size=size) as pilot:
                    fingers = Fingers(mesh, top, pilot)
                    await fingers.sees("GPID")
                    await story(fingers)

        asyncio.run(at_the_screen())
        return mesh

    return play
