"""What a job's row shows of it."""

from __future__ import annotations

import pytest

from ssi.view.jobs import way_of


@pytest.mark.parametrize(
    ("nodes", "shown"),
    [
        (["n1"], "n1"),
        (["n1", "n2", "n3", "n1", "n2"], "n1>n2>n3>n1>n2"),
        (["n1", "n2", "n3", "n4", "n5", "n6"], "n1>(2 more)>n4>n5>n6"),
        (["a", *["b", "c"] * 100, "d", "e", "f"], "a>(200 more)>d>e>f"),
    ],
    ids=lambda value: str(len(value)),
)
def test_the_way_of_a_job_stays_narrow(nodes: list[str], shown: str) -> None:
    assert way_of(nodes) == shown
