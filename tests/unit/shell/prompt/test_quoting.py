from __future__ import annotations

import subprocess

import pytest

from shell.prompt.quoting import written
from shell.prompt.scan import scan


@pytest.mark.parametrize(
    ("typed", "value", "expected"),
    [
        ("fo", "foo", "foo"),
        ("fo", "foo bar", "foo\\ bar"),
        ("'fo", "foo bar", "'foo bar'"),
        ('"fo', 'foo "$x"', '"foo \\"\\$x\\""'),
        ("$HOME/fo", "$HOME/foo bar", "$HOME/foo\\ bar"),
        ("~/fo", "~/foo", "~/foo"),
        ("a\\ b/fo", "a b/foo", "a\\ b/foo"),
        ("'a b/fo", "a b/foo", "'a b/foo'"),
        ("a/'fo", "a/foo x", "a/'foo x'"),
        ("fo'o b", "foo bar", "foo\\ bar"),
        ("'it", "it's", "'it'\\''s'"),
        ("", "~odd", "\\~odd"),
        ("", "#odd", "\\#odd"),
        ("", "a\nb", "$'a\\nb'"),
        ("x/", "x/a\x1b[2J", "x/$'a\\x1b[2J'"),
        ("'x/", "x/a\nb", "'x/'$'a\\nb'"),
    ],
)
def test_a_value_is_written_in_the_quotes_that_were_begun(
    typed: str, value: str, expected: str
) -> None:
    assert written(value, scan(f"ls {typed}").current, is_whole=True) == expected


def test_quotes_of_a_directory_stay_open() -> None:
    assert written("a b/", scan("ls 'a").current, is_whole=False) == "'a b/"


@pytest.mark.parametrize("typed", ["", "'", '"'])
@pytest.mark.parametrize(
    "value", ["plain", "a b", "it's", 'say "x"', "$HOME", "`id`", "a*?[b]{c,d}", "!1", "é ü", "\\"]
)
def test_bash_reads_the_value_that_was_meant(typed: str, value: str) -> None:
    text = written(value, scan(f"ls {typed}").current, is_whole=True)
    answer = subprocess.run(
        ["bash", "-c", f"printf %s {text}"], capture_output=True, check=True, text=True
    )
    assert answer.stdout == value
