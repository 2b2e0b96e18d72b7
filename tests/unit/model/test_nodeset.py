"""Sets of nodes, as people write them."""

from __future__ import annotations

import pytest

from ssi.model.nodeset import LARGEST, NodesetInvalid, expand, fold


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("n1", ["n1"]),
        ("n1..n3", ["n1", "n2", "n3"]),
        ("n1..3", ["n1", "n2", "n3"]),
        ("n1,n2", ["n1", "n2"]),
        ("n[1-3]", ["n1", "n2", "n3"]),
        ("n9..n11", ["n9", "n10", "n11"]),
        ("n08..n10", ["n08", "n09", "n10"]),
        ("n1..n2,m1..3", ["m1", "m2", "m3", "n1", "n2"]),
        ("n[1-3]!n2", ["n1", "n3"]),
        ("n1..n4!n2..n3", ["n1", "n4"]),
        ("10.0.0.1..3", ["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
        ("ada@n1..2", ["ada@n1", "ada@n2"]),
        ("n1,n1", ["n1"]),
        ("rack1-n1..2", ["rack1-n1", "rack1-n2"]),
    ],
)
def test_a_set_expands_to_its_names_in_natural_order(text: str, names: list[str]) -> None:
    assert expand(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "",
        "n[1",
        "n[3-1]",
        "n1!n1",
        "a b",
        "-oProxyCommand=x",
        "n1;reboot",
        "n$(id)",
        "n1\nn2",
        "n1..n2..n3",
        f"n[1-{LARGEST + 1}]",
        "n[1-1000]m[1-1000]",
        "n1..999999999",
        "n" * 300,
        "@group",
        "n/etc",
    ],
)
def test_what_names_no_set_is_refused(text: str) -> None:
    with pytest.raises(NodesetInvalid):
        expand(text)


def test_names_fold_to_ranges() -> None:
    assert fold(["n3", "n1", "n2", "m7"]) == "m7,n[1-3]"
    assert fold([]) == ""
