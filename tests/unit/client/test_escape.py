"""Which keys are words to ssi, and which are the job's."""

from __future__ import annotations

import pytest

from ssi.client.escape import Escapes, Typed, Word, help_text, parse_escape
from ssi.model.errors import UsageError


def feed(*pieces: bytes, escape: bytes = b"~") -> list[Typed]:
    escapes = Escapes(escape)
    return [typed for piece in pieces for typed in escapes.feed(piece)]


@pytest.mark.parametrize(
    ("keys", "typed"),
    [
        (b"ls\r", [b"ls\r"]),
        (b"~.", [Word.LEAVE]),
        (b"~d", [Word.DISOWN]),
        (b"~?", [Word.HELP]),
        (b"~~", [b"~"]),
        (b"~~.", [b"~."]),
        (b"~", []),
        (b"~x", [b"~x"]),
        (b"a~.", [b"a~."]),
        (b"a\r~.", [b"a\r", Word.LEAVE]),
        (b"a\n~.", [b"a\n", Word.LEAVE]),
        (b"~\r~.", [b"~\r", Word.LEAVE]),
        (b"~?~.", [Word.HELP, Word.LEAVE]),
        (b"cd ~\r~/bin\r", [b"cd ~\r~/bin\r"]),
        (b"\x03~.", [b"\x03~."]),
        (b"", []),
    ],
)
def test_escape_is_two_keys_at_the_beginning_of_a_line(keys: bytes, typed: list[Typed]) -> None:
    assert feed(keys) == typed


def test_it_does_not_matter_how_the_keys_arrive() -> None:
    keys = b"a\r~~b\r~x~.\r~?c~.\r~"
    whole = [typed for typed in feed(keys) if isinstance(typed, Word)]
    apart = feed(*(keys[at : at + 1] for at in range(len(keys))))
    assert [typed for typed in apart if isinstance(typed, Word)] == whole == [Word.HELP]
    assert b"".join(typed for typed in apart if isinstance(typed, bytes)) == b"a\r~b\r~x~.\rc~.\r"


def test_without_an_escape_every_key_is_the_jobs() -> None:
    assert feed(b"~.\r~.", escape=b"") == [b"~.\r~."]


def test_another_escape_can_be_chosen() -> None:
    assert feed(b"~.\r\x1d.", escape=b"\x1d") == [b"~.\r", Word.LEAVE]


@pytest.mark.parametrize(
    ("text", "escape"), [("~", b"~"), ("%", b"%"), ("^]", b"\x1d"), ("^b", b"\x02"), ("none", b"")]
)
def test_escape_character_is_named_as_for_ssh(text: str, escape: bytes) -> None:
    assert parse_escape(text) == escape


@pytest.mark.parametrize("text", ["", "ab", " ", "ä", "^é", "\x1b"])
def test_what_is_no_character_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_escape(text)


def test_help_names_the_character_that_was_chosen() -> None:
    assert "  ^].  leave" in help_text(b"\x1d")
    assert "  ~~  one ~ for the job" in help_text(b"~")
