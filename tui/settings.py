"""What a person may set: how it looks, and how it begins."""

from __future__ import annotations

from dataclasses import dataclass

from tui.model.columns import MAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that stays the same while the program runs, unless the person changes it.

    Attributes:
        every_s: Between two looks at the nodes.
        readonly: Nothing is changed in the system.
        theme: One of :data:`tui.theme.THEMES`.
        cards: The nodes are shown above the table.
    """

    every_s: float = 1.0
    readonly: bool = False
    theme: str = "dark"
    cards: bool = True
    columns: tuple[str, ...] = MAIN
    sort: str = "cpu"
    tree: bool = False
