from __future__ import annotations

import pytest

from shell.prompt import marks


def test_no_text_can_end_the_title() -> None:
    title = marks.title("n1:/a\x07\x1b]2;owned\x07\u202e")
    assert title == "\x1b]2;n1:/a\\x07\\x1b]2;owned\\x07\\u202e\x07"
    assert marks.title("a" * 1000).count("a") == marks.TITLE_CELLS


@pytest.mark.parametrize(
    ("term", "knows"), [("xterm-256color", True), ("dumb", False), ("", False)]
)
def test_only_terminals_that_know_marks_get_them(term: str, knows: bool) -> None:
    assert marks.knows_marks(term) is knows


def test_the_sign_of_a_line_without_end_fills_a_row() -> None:
    row = marks.fresh_line(10, is_ascii=True)
    assert row == "\x1b[2m%\x1b[0m" + " " * 9 + "\r\x1b[K"
