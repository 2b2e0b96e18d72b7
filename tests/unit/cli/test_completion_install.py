"""``ssi completion``: what it prints, and where it puts it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ssi.cli.completion.command import Shell, app, place_of, script
from ssi.cli.completion.words import NOTHING, Verb, verbs_of
from ssi.cli.main import tree


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


@pytest.mark.parametrize(
    ("shell", "place"),
    [
        (Shell.BASH, ".local/share/bash-completion/completions/ssi"),
        (Shell.ZSH, ".local/share/zsh/site-functions/_ssi"),
        (Shell.FISH, ".config/fish/completions/ssi.fish"),
    ],
)
def test_install_says_where_and_twice_is_harmless(shell: Shell, place: str, tmp_path: Path) -> None:
    first = CliRunner().invoke(app, ["install", shell.value])
    path = tmp_path / place
    assert (first.exit_code, first.output.splitlines()[0]) == (0, f"{path} is written")
    assert path.read_text() == script(shell)
    before = path.stat()
    second = CliRunner().invoke(app, ["install", shell.value])
    assert second.output.splitlines()[0] == f"{path} was up to date"
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    path.write_text("older")
    assert "is written" in CliRunner().invoke(app, ["install", shell.value]).output
    assert path.read_text() == script(shell)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_shell_is_that_of_the_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert CliRunner().invoke(app, ["install"]).exit_code == 0
    assert place_of(Shell.FISH).exists()
    monkeypatch.setenv("SHELL", "/bin/csh")
    assert "csh" in str(CliRunner().invoke(app, ["install"]).exception)


def test_each_word_that_names_something_of_the_system_is_completed() -> None:
    verbs = {verb.name: verb for verb in verbs_of(tree())}
    assert "__complete" not in verbs
    assert verbs["cp"].words == ("places",)
    assert verbs["kill"].words == ("gpids",)
    assert verbs["logs"].words == ("jobs",)
    assert verbs["drain"].words == ("nodes", NOTHING)
    assert kind_of(verbs["ps"], "--nodes") == "nodes"
    assert kind_of(verbs["run"], "--root") == "=auto home local"
    assert kind_of(verbs["run"], "--detach") == ""
    assert verbs["lab ssh"].options


def kind_of(verb: Verb, flag: str) -> str:
    return next(option.takes for option in verb.options if flag in option.flags)
