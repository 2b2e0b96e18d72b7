"""A set of nodes as people write it: ``n1..n3``, ``n1..3``, ``n1,n2``, ``n[1-3]``, ``n[1-9]!n4``.

The notation and its algebra (``,`` union, ``!`` difference, ``&`` intersection, ``^`` symmetric
difference) are ClusterShell's; the two dots are ours, because brackets need quotes in a shell.
Groups (``@name``, ``@r[1-2]``, ``@source:name``) and wildcards (``gpu*``) mean what whoever calls
says they mean; ``all`` and ``@*`` are the group of all. Files of ClusterShell on this machine are
not read. Source: nodeset(1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet, NodeSetException
from ClusterShell.NodeUtils import GroupResolver, GroupSource

from ssi.model.errors import SsiError

LARGEST = 10_000
"""Names that one text may stand for; a slip like ``n[1-10000000]`` must not eat the memory."""

_LONGEST_TEXT = 64 * 1024
_LONGEST_NAME = 255
_NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9_:][A-Za-z0-9_.:@%+-]*")
_DOTS = re.compile(r"(?<![^,!&^])([\w.:@%+-]*?)(\d+)\.\.(?:\1)?(\d+)(?=[,!&^]|$)", re.ASCII)
_OUTSIDE_BRACKETS = re.compile(r"[,!&^](?![^\[]*\])")
_BRACKETS = re.compile(r"\[([^\]]*)\]")
_ALL = re.compile(r"(?<![^,!&^])(?:all|@\*)(?=[,!&^]|$)")
_ASKS_GROUPS = re.compile(r"(?<![^,!&^])@|[*?]")
_OURS = "ssi"
"""The source of groups that are called by their names alone."""

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


def expand(text: str, groups: Mapping[str, Iterable[str]] | None = None) -> list[str]:
    """The names that a set stands for, each once, in natural order (n2 before n10); never empty.

    Args:
        text: As people write it.
        groups: What ``@name`` stands for, by name, each member a set without groups; one of
            another source than ours is called ``source:name``. ``all`` is also what wildcards are
            matched with. Without them there are no groups.

    Raises:
        NodesetInvalid: It cannot be read, is empty, or stands for too many names.
    """
    brackets = _DOTS.sub(r"\1[\2-\3]", text)
    if groups is not None:
        brackets = _ALL.sub("@all", brackets)
    if len(text) > _LONGEST_TEXT or _upper_bound(brackets) > LARGEST:
        raise NodesetInvalid(text=text[:40], reason=f"it stands for more than {LARGEST} names")
    resolver = RESOLVER_NOGROUP
    if groups is not None and _ASKS_GROUPS.search(brackets):
        _check_groups(text, brackets, groups)
        resolver = _resolver(groups)
    try:
        names = [str(name) for name in NodeSet(brackets, resolver=resolver)]
    except NodeSetException as exc:
        raise NodesetInvalid(text=text[:80], reason=str(exc)) from exc
    if not names:
        raise NodesetInvalid(text=text[:80], reason="it is empty")
    for name in names:
        if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
            raise NodesetInvalid(text=text[:80], reason=f"{name[:80]!r} cannot name a node")
    return names


def asks_groups(text: str) -> bool:
    """Whether a set cannot be read without knowing groups."""
    return bool(_ASKS_GROUPS.search(text) or _ALL.search(text))


def fold(names: Iterable[str]) -> str:
    """The shortest text that stands for these names: ``n[1-3]``; empty for none."""
    folded = NodeSet(resolver=RESOLVER_NOGROUP)
    for name in names:
        folded.add(name)
    return str(folded)


def _check_groups(text: str, brackets: str, groups: Mapping[str, Iterable[str]]) -> None:
    """ClusterShell takes a group that it does not know for an empty one."""
    for part in _OUTSIDE_BRACKETS.split(brackets):
        for name in _group_names(text, part):
            source = name.removesuffix("*") if name.endswith(":*") else ""
            if name not in groups and not (
                source and any(each.startswith(source) for each in groups)
            ):
                known = ", ".join(f"@{name}" for name in sorted(groups))
                reason = f"there is no group {f'@{name}'[:80]!r}; there are {known}"
                raise NodesetInvalid(text=text[:80], reason=reason)


def _group_names(text: str, part: str) -> list[str]:
    """The groups that a part names: none where it names nodes, several as in ``@r[1-2]``."""
    if not part.startswith("@"):
        return []
    if "[" not in part:
        return [part[1:]]
    try:
        return [str(name) for name in NodeSet(part[1:], resolver=RESOLVER_NOGROUP)]
    except NodeSetException as exc:
        raise NodesetInvalid(text=text[:80], reason=str(exc)) from exc


def _resolver(groups: Mapping[str, Iterable[str]]) -> GroupResolver:
    """Knows these groups and nothing of the machine that it is on."""
    sources: dict[str, dict[str, str]] = {_OURS: {}}
    for name, members in groups.items():
        source, _, group = name.rpartition(":")
        sources.setdefault(source or _OURS, {})[group] = ",".join(members)
    resolver = GroupResolver(GroupSource(_OURS, sources[_OURS], sources[_OURS].get("all", "")))
    for source, listed in sources.items():
        if source != _OURS:
            resolver.add_source(GroupSource(source, listed))
    return resolver


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
