"""Digests of a view: one fingerprint of each member, made when what is believed of it changes.

A digest is the exclusive or of fingerprints, so it does not depend on their order, and a change
costs two of them instead of a thousand.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import NamedTuple

from ssi.protocol.pulse import Rumour


class _Print(NamedTuple):
    """Of a member: what tells its part, and of what is believed of it."""

    key: int
    value: int


class Fingerprints:
    """Of one view."""

    def __init__(self) -> None:
        self._prints: dict[str, _Print] = {}
        self._whole = 0

    def put(self, rumour: Rumour) -> None:
        """This is believed of a member now, in place of what was before."""
        known = self._prints.get(rumour.name)
        key = _key(rumour.name) if known is None else known.key
        value = _value(rumour)
        self._whole ^= value if known is None else value ^ known.value
        self._prints[rumour.name] = _Print(key, value)

    def drop(self, name: str) -> None:
        """It is none of the members any more."""
        known = self._prints.pop(name, None)
        if known is not None:
            self._whole ^= known.value

    def digests(self, parts: int, besides: Iterable[Rumour]) -> tuple[int, ...]:
        """Of each of so many parts of the view; whatever concerns one member is in one of them.

        Args:
            parts: How many; 1 is the whole.
            besides: Distinct rumours that count as well. One that the view holds counts once.
        """
        digests = [0] * parts
        if parts == 1:
            digests[0] = self._whole
        else:
            for key, value in self._prints.values():
                digests[key % parts] ^= value
        for rumour in besides:
            known, value = self._prints.get(rumour.name), _value(rumour)
            if known is None or known.value != value:
                key = _key(rumour.name) if known is None else known.key
                digests[key % parts] ^= value
        return tuple(digests)

    def part_of(self, name: str, parts: int) -> int:
        """In which of so many parts a member is."""
        known = self._prints.get(name)
        return (_key(name) if known is None else known.key) % parts


def _key(name: str) -> int:
    return zlib.crc32(name.encode())


def _value(rumour: Rumour) -> int:
    text = f"{rumour.name}|{rumour.state}|{rumour.incarnation}|{rumour.at}"
    return zlib.crc32(text.encode())
