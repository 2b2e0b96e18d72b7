"""What reaches a terminal obeys nobody but us."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssi.view.text import cut, plain, width

ANY_TEXT = st.text(st.characters())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x9b2J", "\\x9b2J"),
        ("\x7f", "\\x7f"),
        ("abc\u202ecba", "abc\\u202ecba"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("caf\udce9", "caf\\xe9"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("line\u2028separator", "line\\u2028separator"),
        ("naïve 日本語 👩\u200d🔬", "naïve 日本語 👩\u200d🔬"),
        ("[bold]no markup[/]", "[bold]no markup[/]"),
    ],
)
def test_what_a_terminal_might_obey_is_written_out(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(ANY_TEXT)
def test_nothing_unsafe_is_left_of_any_text(text: str) -> None:
    shown = plain(text)
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}]
    assert not set(shown) & set(
        "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )
    assert plain(shown) == shown
    shown.encode()


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("", 0),
        ("abc", 3),
        ("é", 1),
        ("e\u0301", 1),
        ("日本", 4),
        ("ﾊ", 1),
        ("😀", 2),
        ("한", 2),
        ("\u1112\u1161\u11ab", 2),
        ("\u200d", 0),
    ],
)
def test_width_counts_cells(text: str, cells: int) -> None:
    assert width(text) == cells


@pytest.mark.parametrize(
    ("text", "cells", "start"),
    [
        ("abc", 5, "abc"),
        ("abc", 2, "ab"),
        ("日本", 3, "日"),
        ("日本", 4, "日本"),
        ("e\u0301x", 1, "e\u0301"),
        ("abc", 0, ""),
    ],
)
def test_cut_fits_and_tears_no_accent_off(text: str, cells: int, start: str) -> None:
    assert cut(text, cells) == start


@given(ANY_TEXT, st.integers(0, 40))
def test_cut_is_never_wider_than_asked(text: str, cells: int) -> None:
    shown = plain(text)
    assert width(cut(shown, cells)) <= cells
    assert shown.startswith(cut(shown, cells))
