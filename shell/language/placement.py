"""The only grammar of our own: ``@where`` before a command."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_BARE: Final = re.compile(r"@[A-Za-z0-9_.,\[\]!&^@-]*(?:\{[A-Za-z0-9_.,-]+\}[A-Za-z0-9_.,-]*)*")
_QUOTED: Final = re.compile(r"""@(?:'([^'\n]+)'|"([^"$`\\\n]+)")""")
_SET: Final = re.compile(r"[][,!&^@{}]|\.\.")
_NEED: Final = re.compile(r"[<>=]")


class Kind(StrEnum):
    """What a placement asks for."""

    HERE = "here"
    NODES = "nodes"
    NEED = "need"
    AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a command is to run.

    Attributes:
        kind: What it asks for.
        text: A node set, or a need, without the ``@`` and its quotes.
    """

    kind: Kind
    text: str = ""

    @property
    def may_be_many(self) -> bool:
        """Whether it stands for any number of nodes, whatever there is now."""
        return self.kind is Kind.NODES and (self.text == "all" or bool(_SET.search(self.text)))


def parse_placement(word: str) -> Placement | None:
    """The placement that the source of a word is; None where it is an ordinary word."""
    quoted = _QUOTED.fullmatch(word)
    if quoted is None and not _BARE.fullmatch(word):
        return None
    text = (quoted[1] or quoted[2]) if quoted else word[1:]
    if not text:
        return Placement(kind=Kind.HERE)
    if text == "auto":
        return Placement(kind=Kind.AUTO)
    if _NEED.search(text):
        return Placement(kind=Kind.NEED, text=text)
    return Placement(kind=Kind.NODES, text=_without_braces(text))


def _without_braces(text: str) -> str:
    """``{n1..n3}`` as a node set has it: braces are for those who think of bash."""
    return re.sub(r"\{([^{}]*)\}", r"\1", text) if text.startswith("{") else text
