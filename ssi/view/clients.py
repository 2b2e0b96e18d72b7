"""Keys of clients as a listing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ssi.model.client import fingerprint
from ssi.model.nodeset import fold
from ssi.protocol.system import ClientList
from ssi.view.jsonview import JsonObject
from ssi.view.listing import Field, Listing


class KnownKey(NamedTuple):
    """A key, whose word it has, and the nodes that let it in.

    Attributes:
        here: Whether it is the key of this user on this machine.
    """

    public_key: str
    user: str
    machine: str
    nodes: tuple[str, ...]
    here: bool

    @property
    def key(self) -> str:
        """What it is called."""
        return fingerprint(self.public_key)


def known_keys(answers: Mapping[str, ClientList], own_key: str = "") -> list[KnownKey]:
    """What the nodes told, by machine."""
    nodes: dict[tuple[str, str], list[str]] = {}
    names: dict[str, str] = {}
    for node, answer in answers.items():
        for row in answer.rows:
            nodes.setdefault((row.public_key, row.user), []).append(node)
            names[row.public_key] = row.name or names.get(row.public_key, "")
    found = [
        KnownKey(key, user, names[key], tuple(on), key == own_key)
        for (key, user), on in nodes.items()
    ]
    return sorted(found, key=lambda each: (each.machine, each.user, each.key))


def client_listing(rows: Sequence[KnownKey]) -> Listing[KnownKey]:
    """A line for each."""
    return Listing(
        kind="clients",
        fields=_FIELDS,
        rows=rows,
        objects_of=_objects,
        name_of=lambda row: row.key,
    )


def _objects(rows: Sequence[KnownKey]) -> list[JsonObject]:
    return [
        {
            "key": row.key,
            "public_key": row.public_key,
            "user": row.user,
            "machine": row.machine or None,
            "nodes": list(row.nodes),
            "here": row.here,
        }
        for row in rows
    ]


_FIELDS: Final[tuple[Field[KnownKey], ...]] = (
    Field(name="key", cell=lambda row: row.key),
    Field(name="user", cell=lambda row: row.user),
    Field(name="machine", cell=lambda row: row.machine or "-"),
    Field(name="nodes", cell=lambda row: fold(row.nodes)),
    Field(name="here", cell=lambda row: "here" if row.here else ""),
)
