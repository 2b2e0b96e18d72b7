"""What the resident bash tells after each line, and the frames between it and us."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

_HEADER: Final = struct.Struct("!cI")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """How a line ended, and what then holds.

    Attributes:
        statuses: ``$?``, then ``PIPESTATUS``.
        cwd: Directory.
        flags: ``$-``.
        jobs: What bash's own ``jobs`` shows: programs that a compound command started.
        traps: ``trap -p``.
        unread: Keys that nothing has read, as Latin-1.
        is_broken: Bash gave the line up before its end, as at ^C or at ``${x:?}``.
        state: A script that gives another bash what this one holds; None where nothing changed.
        path: Where that script is kept on its node.
        functions: Names of all functions; with ``state`` only.
        aliases: By name; with ``state`` only.
    """

    statuses: tuple[int, ...]
    cwd: str
    flags: str
    jobs: str = ""
    traps: str = ""
    unread: str = ""
    is_broken: bool = False
    state: str | None = None
    path: str = ""
    functions: tuple[str, ...] = ()
    aliases: dict[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What the bash of a session holds, as last told.

    Attributes:
        state: A script that gives it to another bash.
        path: Where that script is kept on the node.
        functions: Names.
        aliases: By name.
        flags: ``$-``.
        traps: ``trap -p``.
    """

    state: str = ""
    path: str = ""
    functions: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)
    flags: str = ""
    traps: str = ""

    def after(self, told: Told) -> Holding:
        """What it holds after a line."""
        if told.state is None:
            return Holding(
                state=self.state,
                path=self.path,
                functions=self.functions,
                aliases=self.aliases,
                flags=told.flags,
                traps=told.traps,
            )
        return Holding(
            state=told.state,
            path=told.path,
            functions=frozenset(told.functions),
            aliases=told.aliases,
            flags=told.flags,
            traps=told.traps,
        )


def frame(kind: str, body: bytes) -> bytes:
    """A frame as it is sent."""
    return _HEADER.pack(kind.encode(), len(body)) + body


class Frames:
    """Frames out of bytes that come in pieces."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """The frames that are whole now: kind and body."""
        self._held += data
        while len(self._held) >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._held)
            end = _HEADER.size + length
            if len(self._held) < end:
                return
            body = bytes(self._held[_HEADER.size : end])
            del self._held[:end]
            yield kind.decode("latin-1"), body


def decode_told(body: bytes) -> Told:
    """What a ``T`` frame says."""
    return msgspec.json.decode(body, type=Told)
