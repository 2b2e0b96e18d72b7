"""Which commands the stub hands over, and to whom."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ssi.cli import stub
from ssi.cli.main import COMMANDS
from ssi.cli.warm import NEVER_WARM


def test_every_command_is_either_warm_or_never_warm() -> None:
    assert stub.WARM.isdisjoint(NEVER_WARM)
    assert COMMANDS.keys() == stub.WARM | NEVER_WARM


@pytest.mark.parametrize(
    ("line", "warm"),
    [
        ("ps", True),
        ("ps -t", True),
        ("run true", True),
        ("run -n n1 -- ls -t", True),
        ("run -t -- top", False),
        ("run --tty -- top", False),
        ("run -dt -- top", False),
        ("attach 35000001", False),
        ("lab ssh n1", False),
        ("up n1", False),
        ("--help", False),
        ("", False),
    ],
)
def test_commands_that_need_the_terminal_are_not_handed_over(
    line: str, warm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stub, "environment", {})
    monkeypatch.setattr(stub, "in_background", lambda: False)
    assert stub.is_for_warm(line.split()) is warm


def test_a_reader_in_the_background_gets_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stub, "environment", {})
    monkeypatch.setattr(stub, "in_background", lambda: True)
    assert not stub.is_for_warm(["run", "cat"])
    assert stub.is_for_warm(["ps"])


def test_cold_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stub, "environment", {b"SSI_COLD": b"1"})
    assert not stub.is_for_warm(["ps"])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(stub, "environment", {b"HOME": os.fsencode(tmp_path)})
    return tmp_path


def test_the_socket_is_below_a_directory_that_others_cannot_change(home: Path) -> None:
    expected = f"{home}/.local/state/ssi/warm"
    assert stub.private_directory() in {expected, "/run/ssi/warm"}
    home.chmod(0o777)
    assert stub.private_directory() in {"", "/run/ssi/warm"}


def test_a_session_directory_comes_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = home / "session"
    session.mkdir(mode=0o700)
    monkeypatch.setitem(stub.environment, b"XDG_RUNTIME_DIR", os.fsencode(session))
    assert stub.private_directory() in {f"{session}/ssi/warm", "/run/ssi/warm"}


def test_another_language_is_another_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stub, "private_directory", lambda: "/run/ssi/warm")
    before = stub.socket_path()
    assert before == stub.socket_path()
    monkeypatch.setitem(stub.environment, b"LC_ALL", b"de_DE.ISO-8859-1")
    assert stub.socket_path() != before


def test_a_path_that_is_too_long_for_a_socket_is_none(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = home / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr(stub, "private_directory", lambda: str(long))
    assert stub.socket_path() is None
