"""A line in its colours: its parts and what is known of them, as the editor wants them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Final

from shell.prompt.appearance import Piece
from shell.prompt.knowledge import Knowledge, Question
from shell.prompt.spans import Span

Node = Callable[[str | None], str | None]
"""Where a placement leads to: a node's name; None where that is not known."""

_MISSING: Final = "unknown"
_VALID: Final = " valid"


def painted(
    text: str, parts: Sequence[Span], knowledge: Knowledge, node: Node, cwd: str
) -> list[list[Piece]]:
    """The rows of the text, each in pieces of one style.

    Args:
        text: What was typed.
        parts: Of the text.
        knowledge: Where what it does not know becomes a question.
        node: Where placements lead to.
        cwd: Of the session.
    """
    styles = [""] * len(text)
    for part in parts:
        style = _style(part, knowledge, node, cwd)
        styles[part.start : part.end] = [style] * (part.end - part.start)
    rows, begin = [], 0
    for row in text.split("\n"):
        marked = zip(styles[begin : begin + len(row)], row, strict=True)
        rows.append(
            [
                (style, "".join(each for _, each in group))
                for style, group in groupby(marked, key=lambda pair: pair[0])
            ]
        )
        begin += len(row) + 1
    return rows


def _style(part: Span, knowledge: Knowledge, node: Node, cwd: str) -> str:
    where = node(part.place) if part.check else None
    if where is None:
        return part.style
    kind = "command" if part.check == "command" else "path"
    is_there = knowledge.whether(
        Question(kind=kind, value=part.value, node=where, cwd=cwd)  # type: ignore[arg-type]
    )
    match part.check, is_there:
        case "command", True:
            return "known"
        case "command" | "input", False:
            return _MISSING
        case "path" | "input", True:
            return f"{part.style}{_VALID}"
        case _:
            return part.style
