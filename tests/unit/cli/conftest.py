"""Commands in front of a system that is not there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ssi.client.connection import Connection
from tests.unit.cli.fake_system import CommandLine


@pytest.fixture
def command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Callable[..., None]], CommandLine]:
    """Makes a command line for a command."""

    def make(command: Callable[..., None]) -> CommandLine:
        line = CommandLine(command, capsys)

        async def opened() -> Connection:
            return line.system

        monkeypatch.setattr(Connection, "open", opened)
        monkeypatch.delenv("COLUMNS", raising=False)
        return line

    return make
