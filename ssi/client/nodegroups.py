"""Groups of nodes: those that follow from how the nodes are, and those that the user wrote down.

The file ``groups`` beside the user's roster has a group in each line, ``NAME: NODES``, as the flat
files of ClusterShell have them; ``#`` begins a comment. A group may name others that stand above
it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ssi.client import paths
from ssi.model.node import NodeRow, NodeState
from ssi.model.nodeset import NodesetInvalid, expand, fold
from ssi.protocol.refusals import NodeUnknown

FILE: Final = "groups"
_LINE: Final = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*)\s*:\s*(.*)")


def expand_among(text: str, rows: Sequence[NodeRow]) -> set[str]:
    """The nodes of these that a set names; never none.

    Raises:
        NodesetInvalid: It, or the file of groups, cannot be read.
        NodeUnknown: It names one that there is not.
    """
    known = {row.name for row in rows}
    if text in known:
        return {text}
    names = expand(text, groups_of(rows))
    for name in names:
        if name not in known:
            raise NodeUnknown(node=name, known=fold(known))
    return set(names)


def groups_of(rows: Sequence[NodeRow]) -> dict[str, list[str]]:
    """All groups: by state, by what the nodes have, and those of the user, which come first.

    Raises:
        NodesetInvalid: The file of groups cannot be read.
    """
    told = [(row, row.metrics) for row in rows if row.metrics is not None]
    return {
        "all": [row.name for row in rows],
        **{state.value: [row.name for row in rows if row.state is state] for state in NodeState},
        "cordoned": [row.name for row, metrics in told if metrics.cordoned],
        "gpu": [row.name for row, metrics in told if metrics.gpus],
        **written_groups(paths.config_dir() / FILE, [row.name for row in rows]),
    }


def written_groups(file: Path, known: Sequence[str]) -> dict[str, list[str]]:
    """The groups of a file; none where there is no file.

    Raises:
        NodesetInvalid: A line is no group.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    groups: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        wanted = line.partition("#")[0].strip()
        if not wanted:
            continue
        match = _LINE.fullmatch(wanted)
        if match is None:
            raise NodesetInvalid(text=wanted[:80], reason=f"line {number} of {file} is no group")
        groups[match[1]] = expand(match[2], {"all": known, **groups})
    return groups
