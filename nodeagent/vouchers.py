"""The signed entries of the roster that this node keeps, to give them to whoever lacks them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from nodeagent.files import replace_file
from ssi.mesh.vouching import Signer
from ssi.model.unreadable import UNREADABLE
from ssi.protocol.codec import BadMessage, decode_statement, encode_entry
from ssi.protocol.pulse import SignedEntry, Statement

_log = logging.getLogger(__name__)

MAX_TOLD: Final = 256
"""Entries for one member whose roster is older; one that lacks more fetches the whole."""

MAX_KEPT: Final = 8192
"""The newest are kept; those of nodes that are gone are among them."""


class Vouchers:
    """The newest signed entry of each node, kept in a file.

    Args:
        path: Of the file. One that cannot be read is as good as none: whole rosters are fetched.
        signer: This node's.
    """

    def __init__(self, path: Path, signer: Signer) -> None:
        self._path = path
        self._signer = signer
        self._kept: dict[str, tuple[int, SignedEntry]] = {}
        self._told: tuple[tuple[int, bytes], ...] = ()
        try:
            self._remember(msgspec.json.decode(path.read_bytes(), type=list[SignedEntry]))
        except FileNotFoundError:
            return
        except (*UNREADABLE, BadMessage) as exc:
            _log.error("event=vouchers-unreadable file=%s reason=%s", path, exc)

    def vouch(self, statements: Sequence[Statement]) -> None:
        """Signs them, unless they are more than anybody would take in one go."""
        if len(statements) <= MAX_TOLD:
            self.keep([self._signer.vouch(each) for each in statements])

    def keep(self, entries: Iterable[SignedEntry]) -> None:
        """Keeps what somebody has signed.

        Raises:
            BadMessage: A statement cannot be read.
        """
        self._remember(entries)
        kept = [entry for _, entry in self._kept.values()]
        replace_file(self._path, msgspec.json.encode(kept))

    def since(self, version: int) -> tuple[bytes, ...]:
        """Those that are newer than a version of the roster, encoded; any thread."""
        newer = [encoded for brought_by, encoded in self._told if brought_by > version]
        return tuple(newer) if len(newer) <= MAX_TOLD else ()

    def _remember(self, entries: Iterable[SignedEntry]) -> None:
        for entry in entries:
            statement = decode_statement(entry.statement)
            self._kept.pop(statement.name, None)
            self._kept[statement.name] = statement.version, entry
        self._kept = dict(list(self._kept.items())[-MAX_KEPT:])
        told = [(version, encode_entry(entry)) for version, entry in self._kept.values()]
        self._told = tuple(sorted(told))
