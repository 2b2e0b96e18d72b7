"""Forests from names of parents."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ssi.view.tree import branches, forest


def drawn(links: list[tuple[int, int]]) -> list[str]:
    rows = forest(links)
    return [line + str(links[row.row][0]) for line, row in zip(branches(rows), rows, strict=True)]


def test_children_hang_below_their_parents_in_the_order_given() -> None:
    assert drawn([(1, 0), (2, 1), (3, 1), (4, 2), (5, 0), (6, 4)]) == [
        "1",
        r" \_ 2",
        r" |   \_ 4",
        r" |       \_ 6",
        r" \_ 3",
        "5",
    ]


def test_row_without_its_parent_is_a_root() -> None:
    assert drawn([(7, 99), (8, 7)]) == ["7", r" \_ 8"]


def test_ring_of_parents_is_shown_all_the_same() -> None:
    assert sorted(row.row for row in forest([(1, 2), (2, 1), (3, 3)])) == [0, 1, 2]


def test_chain_of_ten_thousand_is_no_recursion() -> None:
    links = [(n, n - 1) for n in range(1, 10_001)]
    assert forest(links)[-1].depth == 9_999


def test_two_rows_of_one_name_share_one_set_of_children() -> None:
    assert drawn([(1, 0), (1, 0), (2, 1)]) == ["1", r" \_ 2", "1"]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=60))
def test_each_row_of_any_links_is_shown_exactly_once(links: list[tuple[int, int]]) -> None:
    rows = forest(links)
    assert sorted(row.row for row in rows) == list(range(len(links)))
    assert len(branches(rows)) == len(links)
