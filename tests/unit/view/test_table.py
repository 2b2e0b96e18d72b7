"""Tables as text."""

from __future__ import annotations

from ssi.view.table import Column, render_table

NAME = Column(title="NAME")
SIZE = Column(title="SIZE", right=True)
COMMAND = Column(title="COMMAND")


def test_columns_are_as_wide_as_their_cells_and_numbers_stand_right() -> None:
    table = render_table([NAME, SIZE, COMMAND], [("a", "1", "x"), ("longer", "1000", "y z")])
    assert table == (
        "NAME   SIZE COMMAND\n"  #
        "a         1 x\n"
        "longer 1000 y z\n"
    )


def test_wide_letters_and_accents_keep_columns_in_line() -> None:
    table = render_table([NAME, SIZE], [("日本", "1"), ("e\u0301", "22"), ("abcd", "333")])
    assert table == (
        "NAME SIZE\n"  #
        "日本    1\n"
        "e\u0301      22\n"
        "abcd  333\n"
    )


def test_every_cell_is_made_plain() -> None:
    table = render_table([NAME, COMMAND], [("\x1b[2J", "rm\n-rf"), ("日\x07", "ok")])
    assert table == (
        "NAME    COMMAND\n"  #
        "\\x1b[2J rm\\n-rf\n"
        "日\\x07  ok\n"
    )


def test_lines_are_cut_at_the_width_of_the_terminal() -> None:
    table = render_table([NAME, COMMAND], [("a", "0123456789"), ("b", "日日日")], width_cells=10)
    assert table == (
        "NAME COMMA\n"  #
        "a    01234\n"
        "b    日日\n"
    )


def test_lines_are_whole_without_a_width() -> None:
    assert render_table([COMMAND], [("x" * 5000,)]).splitlines()[1] == "x" * 5000


def test_minimal_width_holds_a_column_still() -> None:
    column = Column(title="A", min_width=4)
    assert render_table([column, NAME], [("1", "n")]) == "A    NAME\n1    n\n"


def test_headers_may_be_left_out() -> None:
    assert render_table([NAME, SIZE], [("a", "1")], headers=False) == "a 1\n"


def test_empty_table_is_its_headers_or_nothing() -> None:
    assert render_table([NAME, SIZE], []) == "NAME SIZE\n"
    assert render_table([NAME, SIZE], [], headers=False) == ""
