"""Nodes that did not answer: named on stderr, with why, and told by the exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ssi.client.errors import PartialAnswer
from ssi.model.errors import SsiError
from ssi.model.node import NodeRow, NodeState
from ssi.protocol.refusals import NodeDown


def missing_notices(failures: Mapping[str, SsiError], missing: str) -> list[str]:
    """One line for all nodes that failed in the same way.

    Args:
        failures: By node name.
        missing: What is not shown for it: ``its processes are not shown``.
    """
    if not failures:
        return []
    from ssi.model.nodeset import fold  # 20 ms that a whole answer does not need

    nodes_by_reason: dict[str, list[str]] = {}
    for node, error in failures.items():
        nodes_by_reason.setdefault(error.what().removeprefix(f"{node} "), []).append(node)
    return [
        f"ssi: {PartialAnswer(nodes=fold(nodes), reason=reason, missing=missing)}"
        for reason, nodes in nodes_by_reason.items()
    ]


def down_nodes(rows: Iterable[NodeRow]) -> dict[str, SsiError]:
    """The nodes of which nothing current is known."""
    return {
        row.name: NodeDown(node=row.name, silent_s=row.age_s)
        for row in rows
        if row.state in {NodeState.DEAD, NodeState.LEFT} or row.metrics is None
    }
