"""The places on a command line, each of one machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssi.cli.outcome import complain
from ssi.client.files.delivery import resolved
from ssi.client.files.errand import NamesOf, each_node
from ssi.client.files.guest import Guest
from ssi.client.files.place import Place, parse_place
from ssi.client.files.tree import Tree
from ssi.client.nodegroups import expand_among
from ssi.client.system import System
from ssi.model.errors import SsiError
from ssi.protocol.system import NodeList


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A place whose machine answers."""

    place: Place
    tree: Tree
    path: bytes


def names_among(nodes: NodeList) -> NamesOf:
    """Reads sets of these nodes."""

    def names_of(nodeset: str) -> list[str]:
        wanted = expand_among(nodeset, nodes.rows)
        return [row.name for row in nodes.rows if row.name in wanted]

    return names_of


async def places_of(system: System, texts: Sequence[str]) -> list[Place]:
    """Each path of each node that was named.

    Raises:
        SsiError: A set of nodes cannot be read, or names one that there is not.
    """
    places = [parse_place(text) for text in texts]
    if all(place.is_here for place in places):
        return places
    names_of = names_among(await system.nodes())
    return [single for place in places for single in each_node(place, names_of)]


async def find(guest: Guest, place: Place, *, follow: bool = True) -> Found | SsiError:
    """The place, or why it is not there, which is told as well."""
    try:
        tree = await guest.tree(place.nodes)
        path = await resolved(tree, place, follow=follow)
    except SsiError as exc:
        complain(exc)
        return exc
    return Found(place=place, tree=tree, path=path)
