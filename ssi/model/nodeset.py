"""A set of nodes as people write it: ``n1..n3``, ``n1..3``, ``n1,n2``, ``n[1-3]``, ``n[1-9]!n4``.

The notation and its algebra (``,`` union, ``!`` difference, ``&`` intersection, ``^`` symmetric
difference) are ClusterShell's; the two dots are ours, because brackets need quotes in a shell.
Groups (``@name``) are not resolved: a set means the same on every machine. Source: nodeset(1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet, NodeSetException

from ssi.model.errors import SsiError

LARGEST = 10_000
"""Names that one text may stand for; a slip like ``n[1-10000000]`` must not eat the memory."""

_LONGEST_TEXT = 64 * 1024
_LONGEST_NAME = 255
_NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9_:][A-Za-z0-9_.:@%+-]*")
_DOTS = re.compile(r"(?<![^,!&^])([\w.:@%+-]*?)(\d+)\.\.(?:\1)?(\d+)(?=[,!&^]|$)", re.ASCII)
_OUTSIDE_BRACKETS = re.compile(r"[,!&^](?![^\[]*\])")
_BRACKETS = re.compile(r"\[([^\]]*)\]")
_RANGE = re.compile(r"(\d{1,18})-(\d{1,18})", re.ASCII)


@dataclass(eq=False, kw_only=True)
class NodesetInvalid(SsiError):
    """A text that names no set of nodes."""

    word = "nodeset-invalid"
    exit_code = 2
    text: str
    reason: str

    def what(self) -> str:
        return f"{self.text!r} is no set of nodes: {self.reason}"

    def advice(self) -> str:
        return "write it as n1, n1,n2, n1..n3 or 'n[1-3]'"


def expand(text: str) -> list[str]:
    """The names that a set stands for, each once, in natural order (n2 before n10); never empty.

    Raises:
        NodesetInvalid: It cannot be read, is empty, or stands for too many names.
    """
    brackets = _DOTS.sub(r"\1[\2-\3]", text)
    if len(text) > _LONGEST_TEXT or _upper_bound(brackets) > LARGEST:
        raise NodesetInvalid(text=text[:40], reason=f"it stands for more than {LARGEST} names")
    try:
        names = [str(name) for name in NodeSet(brackets, resolver=RESOLVER_NOGROUP)]
    except NodeSetException as exc:
        raise NodesetInvalid(text=text[:80], reason=str(exc)) from exc
    if not names:
        raise NodesetInvalid(text=text[:80], reason="it is empty")
    for name in names:
        if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
            raise NodesetInvalid(text=text[:80], reason=f"{name[:80]!r} cannot name a node")
    return names


def fold(names: Iterable[str]) -> str:
    """The shortest text that stands for these names: ``n[1-3]``; empty for none."""
    folded = NodeSet(resolver=RESOLVER_NOGROUP)
    for name in names:
        folded.add(name)
    return str(folded)


def _upper_bound(text: str) -> int:
    return sum(_size_of_part(part) for part in _OUTSIDE_BRACKETS.split(text))


def _size_of_part(part: str) -> int:
    size = 1
    for group in _BRACKETS.findall(part):
        listed = group.count(",") + 1
        size *= listed + sum(
            max(0, int(last) - int(first)) for first, last in _RANGE.findall(group)
        )
    return size
