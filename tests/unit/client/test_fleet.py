"""Whom a command on many nodes gives up that has not taken a signal."""

from __future__ import annotations

import pytest

from ssi.client.fleet import SILENT_S, _is_silent
from ssi.model.node import NodeRow, NodeState


def node(state: NodeState, age_s: float) -> NodeRow:
    return NodeRow(name="n1", number=1, address="", state=state, age_s=age_s)


@pytest.mark.parametrize("is_patient", [True, False])
def test_a_dead_node_is_given_up_at_once_and_one_that_is_heard_never(is_patient: bool) -> None:
    assert _is_silent(node(NodeState.DEAD, 9.0), is_patient=is_patient)
    assert _is_silent(node(NodeState.LEFT, 9.0), is_patient=is_patient)
    assert not _is_silent(node(NodeState.ALIVE, SILENT_S), is_patient=is_patient)


@pytest.mark.parametrize(
    ("state", "age_s"), [(NodeState.ALIVE, SILENT_S + 0.1), (NodeState.SUSPECT, 0.1)]
)
def test_one_that_may_be_busy_is_given_up_after_a_while(state: NodeState, age_s: float) -> None:
    assert not _is_silent(node(state, age_s), is_patient=True)
    assert _is_silent(node(state, age_s), is_patient=False)
