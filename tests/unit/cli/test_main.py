"""The tree of commands, and what a command costs to import."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from ssi.cli import main as module
from ssi.cli.main import COMMANDS, app, load_command
from ssi.model.errors import UsageError
from ssi.version import VERSION


def imported_by(command: str) -> set[str]:
    """The modules that a fresh interpreter has after it built a command."""
    code = f"import sys; from ssi.cli.main import load_command; load_command({command!r})"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print(*sys.modules)"],
        capture_output=True,
        check=True,
        text=True,
        timeout=30,
    )
    return set(done.stdout.split())


def test_ps_pays_for_no_other_command() -> None:
    modules = imported_by("ps")
    assert not modules & {"paramiko", "ssi.deploy", "ssi.lab", "ssi.cli.up", "ssi.cli.run", "zmq"}
    assert not modules & {"nodeagent", "rich", "psutil"}


def test_help_lists_the_commands_in_order() -> None:
    text = CliRunner().invoke(app, ["--help"], prog_name="ssi").stdout
    listed = [line.split()[0] for line in text.partition("Commands:")[2].splitlines() if line]
    assert listed == [name for name in COMMANDS if name in listed]
    assert {"ps", "run", "migrate", "lab"} <= set(listed)


def test_a_typing_error_is_shown_what_was_meant() -> None:
    result = CliRunner().invoke(app, ["psx"], prog_name="ssi")
    assert result.exit_code == 2
    assert "No such command 'psx'. Did you mean 'ps'?" in result.stderr


def test_version_is_shown() -> None:
    result = CliRunner().invoke(app, ["--version"], prog_name="ssi")
    assert (result.exit_code, result.stdout) == (0, f"ssi {VERSION}\n")


def test_a_command_whose_packages_are_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMMANDS", {"up": "ssi.never.there:up"})
    with pytest.raises(UsageError, match="`ssi up` is not part of this installation"):
        load_command("up")


def test_help_leaves_out_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        module, "COMMANDS", {"up": "ssi.never.there:up", "free": "ssi.cli.free:free"}
    )
    text = CliRunner().invoke(app, ["--help"], prog_name="ssi").stdout
    assert "free" in text
    assert "\n  up" not in text
