"""What one command promises of the objects that it prints: their names and types.

A type is ``str``, ``int``, ``float`` or ``bool``, a list of it (``[str]``), or the name of another
kind (``{gpu}``, ``[{gpu}]``); ``?`` stands behind what may be null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

VERSION: Final = 1
"""Rises when a name goes, or changes its meaning or type; not when one is added."""


class Name(NamedTuple):
    """One name of an object."""

    name: str
    type: str
    about: str = ""
    always: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What an object of one kind has.

    Attributes:
        title: How it comes about, for its heading.
        about: What an object stands for, in whole sentences.
    """

    title: str
    about: str
    names: tuple[Name, ...]


PART: Final = "part of another"
"""Title of kinds that stand in others only."""
