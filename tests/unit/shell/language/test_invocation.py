from __future__ import annotations

import pytest

from shell.language.invocation import Invocation, parse_invocation
from ssi.cli.shell import is_for_shell
from ssi.model.errors import UsageError


@pytest.mark.parametrize(
    ("words", "how"),
    [
        ([], Invocation(kind="stdin")),
        (["-c", "a b", "x", "-y"], Invocation(kind="command", text="a b", arguments=("x", "-y"))),
        (["-ec", "false"], Invocation(kind="command", options=("-e",), text="false")),
        (
            ["-eu", "-o", "pipefail", "./f", "-c"],
            Invocation(
                kind="file", options=("-eu", "-o", "pipefail"), text="./f", arguments=("-c",)
            ),
        ),
        (["-s", "a"], Invocation(kind="stdin", arguments=("a",))),
        (["--", "-c"], Invocation(kind="file", text="-c")),
        (["--node", "n2", "f"], Invocation(kind="file", text="f", node="n2")),
        (["--node=n2"], Invocation(kind="stdin", node="n2")),
    ],
)
def test_the_shell_is_called_as_bash_is(words: list[str], how: Invocation) -> None:
    assert parse_invocation(words) == how


def test_who_is_to_be_asked_for_lines() -> None:
    talks = [
        parse_invocation(words).is_talk
        for words in ([], ["-i"], ["-il"], ["--node=n2"], ["--login"])
    ]
    assert talks == [True] * 5
    others = [
        parse_invocation(words).is_talk for words in (["-e"], ["-s", "a"], ["-ic", "x"], ["--norc"])
    ]
    assert others == [False] * 4
    assert parse_invocation(["-ic", "x"]).options == ("-i",)


@pytest.mark.parametrize("words", [["-c"], ["-o"], ["--node"]])
def test_an_option_without_its_value_is_an_error(words: list[str]) -> None:
    with pytest.raises(UsageError):
        parse_invocation(words)


@pytest.mark.parametrize("words", [[], ["-c", "x"], ["./ps"], ["--node=n1"], ["--norc"]])
def test_these_are_for_the_shell(words: list[str]) -> None:
    assert is_for_shell(words, {"ps"})


@pytest.mark.parametrize("word", ["ps", "psx", "-h", "--version", "--timeout"])
def test_these_are_for_the_commands(word: str) -> None:
    assert not is_for_shell([word], {"ps"})
