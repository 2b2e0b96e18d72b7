"""Who is there and who is gone."""

from __future__ import annotations

from ssi.mesh.sides import Sides


def test_names_are_in_order_on_either_side() -> None:
    sides = Sides()
    for name in ("n3", "n1", "n2"):
        sides.place(name, is_there=True)
    sides.place("n2", is_there=False)
    assert (sides.there, sides.gone) == (["n1", "n3"], ["n2"])


def test_member_placed_twice_is_there_once_and_dropped_it_is_on_neither() -> None:
    sides = Sides()
    for is_there in (True, True, False, False, True):
        sides.place("n1", is_there=is_there)
    assert (sides.there, sides.gone) == (["n1"], [])
    sides.drop("n1")
    sides.drop("n7")
    assert (sides.there, sides.gone) == ([], [])
