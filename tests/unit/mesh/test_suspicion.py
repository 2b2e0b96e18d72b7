"""How long a suspicion lasts."""

from __future__ import annotations

import pytest

from ssi.mesh.suspicion import Suspicion, suspicion_s


@pytest.mark.parametrize(
    ("confirmations", "wanted", "lasts_s"),
    [
        (0, 0, 3.0),  # nobody else there: the shortest at once
        (0, 2, 18.0),
        (1, 2, 8.536),
        (2, 2, 3.0),
        (5, 2, 3.0),
        (1, 3, 10.5),
    ],
)
def test_suspicion_shrinks_with_the_logarithm_of_its_confirmations(
    confirmations: int, wanted: int, lasts_s: float
) -> None:
    assert suspicion_s(confirmations, wanted, 3.0, 18.0) == pytest.approx(lasts_s, abs=0.001)


def test_the_same_accuser_confirms_once_and_only_as_many_as_wanted() -> None:
    suspicion = Suspicion(began_s=10.0, shortest_s=3.0, longest_s=18.0, wanted=2, accusers={"n1"})
    assert suspicion.ends_s == 28.0
    assert [suspicion.confirm(name) for name in ("n1", "n2", "n2", "n3", "n4")] == [
        False, True, False, True, False,
    ]  # fmt: skip
    assert suspicion.ends_s == 13.0
