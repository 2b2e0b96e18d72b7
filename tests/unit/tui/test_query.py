"""Filters: what they take, and what is told of those that cannot be understood."""

from __future__ import annotations

import pytest

from ssi.model.errors import UsageError
from tests.unit.tui.samples import entry
from tui.model.query import parse_query

BUSY = entry("n2", 75.0, user="ada", rss_bytes=2 << 30, command=("/usr/bin/zsh", "-l"), name="zsh")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "zsh",
        "ZSH",
        "bash|zsh",
        "node=n2",
        "node=n[1-3]",
        "node=n1,n2",
        "node=n*",
        "cpu>50",
        "cpu>=75 cpu<=75",
        "rss>1.5G",
        "user=ada",
        "user=root,ada",
        "!bash",
        "!user=root",
        "state=S",
        "'usr/bin/zsh -l'",
        "gpid=10000042",
    ],
)
def test_filter_takes_what_fits(text: str) -> None:
    assert parse_query(text).takes(BUSY)


@pytest.mark.parametrize(
    "text", ["bash", "node=n1", "cpu>75", "cpu<50", "!zsh", "user=root", "zsh node=n3", "rss<1G"]
)
def test_filter_leaves_out_what_does_not(text: str) -> None:
    assert not parse_query(text).takes(BUSY)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("colour=red", "nothing called 'colour'"),
        ("cpu>much", "'much' is no number"),
        ("user>ada", "nothing called 'user'"),
        ("'open", "cannot be read"),
        ("node=n[1-", "no set of nodes"),
    ],
)
def test_what_cannot_be_understood_is_told(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told.replace("[", r"\[")) as caught:
        parse_query(text)
    assert caught.value.advice()


def test_filter_looks_at_a_command_as_it_is_shown() -> None:
    ended = entry("n2", 0.0, state="Z", command=(), name="zsh")
    assert parse_query("defunct [zsh]").takes(ended)
    assert not parse_query("defunct").takes(entry("n2", 0.0, command=(), name="zsh"))
