"""What every mode can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from tui.model.parts import Part

Labels: TypeAlias = Sequence[tuple[str, str]]
"""What stands on the key bar: keys and what they do."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a mode ended; None: the person took it back."""

    value: object = None


class Mode(Protocol):
    """Takes keys until it has its answer."""

    @property
    def labels(self) -> Labels:
        """For the key bar."""

    def press(self, key: str) -> Answer | None:
        """Takes a key; the answer where it ends the mode."""

    def paste(self, text: str) -> None:
        """Takes a text that was pasted."""


class Sideways(Protocol):
    """A mode that stands beside the table."""

    def side_lines(self, width: int, height: int) -> list[list[Part]]:
        """What it shows."""
