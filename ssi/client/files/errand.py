"""What one copy command comes to: which copies are made, and which machine makes them.

The machine where the files are to be makes the copy, or this one where it has one of the ends; so
what two nodes have to say to each other never passes through a third machine. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ssi.client.files.place import Place
from ssi.model.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A copy of some sources to one machine.

    Attributes:
        at: The node that makes it; empty for this machine.
        target: Its path ends with ``/`` where it must be a directory.
    """

    at: str
    sources: tuple[Place, ...]
    target: Place


NamesOf = Callable[[str], Iterable[str]]
"""The nodes that a set names, in order."""


def errands(sources: list[Place], target: Place, here: str, names_of: NamesOf) -> list[Errand]:
    """The copies that a command asks for, in order.

    Args:
        sources: Each of one node, or of several, which then have the same path.
        target: Of one node, or of several.
        here: The name of this machine as a node; empty where it is none.
        names_of: Reads sets of nodes.

    Raises:
        NodesetInvalid: A set of nodes cannot be read.
        NodeUnknown: It names one that there is not.
        UsageError: Several nodes' files would have one name.
    """
    singles = [single for source in sources for single in each_node(source, names_of)]
    many = len(singles) > 1
    if len(singles) > len(sources):
        raise UsageError(
            text="files of several nodes would have one name",
            hint="copy from one node at a time",
        )
    found = []
    for named in each_node(target, names_of):
        place = _directory(named) if many else named
        ours = [source for source in singles if is_ours(place, here) or is_ours(source, here)]
        theirs = [source for source in singles if source not in ours]
        if ours:
            found.append(Errand(at="", sources=tuple(ours), target=place))
        if theirs:
            found.append(Errand(at=place.nodes, sources=tuple(theirs), target=place))
    return found


def _directory(place: Place) -> Place:
    """The same, written so that only a directory is meant."""
    if place.must_be_directory:
        return place
    return replace(place, path=f"{place.path}/" if place.path else "./")


def each_node(place: Place, names_of: NamesOf) -> list[Place]:
    """The same path of each of the nodes that were named."""
    if place.is_here:
        return [place]
    return [replace(place, nodes=name) for name in names_of(place.nodes)]


def is_ours(place: Place, here: str) -> bool:
    """Whether it is of this machine."""
    return place.is_here or place.nodes == here
