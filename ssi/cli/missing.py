"""Nodes that did not answer: named on stderr, with why, and told by the exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ssi.client.system import why_dead
from ssi.model.errors import SsiError
from ssi.model.node import NodeRow, NodeState
from ssi.view.complaints import folded


def missing_notices(failures: Mapping[str, SsiError], missing: str) -> list[str]:
    """One line for all nodes that failed in the same way.

    Args:
        failures: By node name.
        missing: What is not shown for it: ``its processes are not shown``.
    """
    return [
        f"ssi: {nodes}: {error.what().removeprefix(nodes).lstrip(' :')}; {missing} [{error.word}]"
        for nodes, error in folded(failures)
    ]


def down_nodes(rows: Iterable[NodeRow]) -> dict[str, SsiError]:
    """The nodes of which nothing current is known."""
    return {
        row.name: why_dead(row)
        for row in rows
        if row.state in {NodeState.DEAD, NodeState.LEFT} or row.metrics is None
    }
