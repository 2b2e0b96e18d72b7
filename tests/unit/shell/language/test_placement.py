from __future__ import annotations

import pytest

from shell.errors import NeedInvalid
from shell.language.need import fitting
from shell.language.placement import Kind, parse_placement
from tests.unit.view.samples import node


@pytest.mark.parametrize(
    ("word", "kind", "text"),
    [
        ("@n2", Kind.NODES, "n2"),
        ("@", Kind.HERE, ""),
        ("@auto", Kind.AUTO, "auto"),
        ("@gpu", Kind.NODES, "gpu"),
        ("@{n1..n3}", Kind.NODES, "n1..n3"),
        ("@n[1-3]", Kind.NODES, "n[1-3]"),
        ("@'mem>8G'", Kind.NEED, "mem>8G"),
        ('@"cores>=4,load<1"', Kind.NEED, "cores>=4,load<1"),
    ],
)
def test_placements(word: str, kind: Kind, text: str) -> None:
    found = parse_placement(word)
    assert found is not None
    assert (found.kind, found.text if kind is not Kind.AUTO else "auto") == (kind, text)


@pytest.mark.parametrize("word", ["n2", "a@b", '@"$x"', "@$(x)", "@'", "@n2/x", "@(a|b)"])
def test_other_words_are_bashs(word: str) -> None:
    assert parse_placement(word) is None


def test_many_whatever_there_is_now() -> None:
    sets = {word: parse_placement(word) for word in ("@all", "@n1,n2", "@{n1..n3}", "@n1")}
    many = [word for word, found in sets.items() if found is not None and found.may_be_many]
    assert many == ["@all", "@n1,n2", "@{n1..n3}"]


def test_needs_choose_among_what_was_last_heard() -> None:
    rows = [node(name="n1"), node(name="n2")]
    assert fitting("cores>=1", rows) == rows
    assert fitting("cores>100000", rows) == []
    for bad in ("mem", "mem>lots", "colour=red", ""):
        with pytest.raises(NeedInvalid):
            fitting(bad, rows)
