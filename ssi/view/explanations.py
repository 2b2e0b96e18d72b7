"""Errors explained: what happened, why it may have, and what helps."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ssi.view.colour import paint
from ssi.view.jsonview import JsonObject
from ssi.view.listing import Field, Format, Listing, Way

WIDTH_CELLS: Final = 80
_INDENT: Final = " " * 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All that is known of one code.

    Attributes:
        what: Happened.
        why: It may have.
        remedy: What to try.
        fields: What such an error says of itself.
    """

    code: str
    exit_status: int
    what: str
    why: str
    remedy: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Explanations that were asked for; all of them are shown as a table.

    Attributes:
        at_length: Whether a table is wanted as prose.
    """

    explanations: Sequence[Explanation]
    at_length: bool

    def table(self, way: Way) -> str:
        """Prose for few, a line each for many."""
        if not self.at_length or way.columns or way.format is Format.WIDE:
            return self._listing().table(way)
        width_cells = min(way.width_cells or WIDTH_CELLS, WIDTH_CELLS)
        return "\n".join(
            _prose(each, width_cells, colour=way.colour)
            for each in self._listing().sorted_by(way.sort).rows
        )

    def objects(self, sort: str) -> list[JsonObject]:
        """As programs read them."""
        return self._listing().objects(sort)

    def names(self, sort: str) -> list[str]:
        """The codes."""
        return self._listing().names(sort)

    def _listing(self) -> Listing[Explanation]:
        return Listing(
            kind="explain",
            fields=_FIELDS,
            rows=self.explanations,
            objects_of=_objects,
            name_of=lambda each: each.code,
        )


def _prose(each: Explanation, width_cells: int, *, colour: bool) -> str:
    title = paint(each.code, "bold" if colour else "")
    parts = [f"{title} (exit status {each.exit_status})\n"]
    for name, text in (
        ("what", each.what),
        ("why", each.why),
        ("try", each.remedy),
        ("tells", ", ".join(each.fields)),
    ):
        if text:
            parts.append(
                textwrap.fill(
                    text,
                    width_cells,
                    initial_indent=f"  {name:<6}",
                    subsequent_indent=_INDENT,
                    break_on_hyphens=False,
                )
                + "\n"
            )
    return "".join(parts)


def _objects(explanations: Sequence[Explanation]) -> list[JsonObject]:
    return [
        {
            "code": each.code,
            "exit_status": each.exit_status,
            "what": each.what,
            "why": each.why,
            "try": each.remedy,
            "fields": each.fields,
        }
        for each in explanations
    ]


_FIELDS: Final[tuple[Field[Explanation], ...]] = (
    Field(name="code", cell=lambda each: each.code),
    Field(
        name="exit",
        cell=lambda each: str(each.exit_status),
        order=lambda each: each.exit_status,
        right=True,
    ),
    Field(name="what", cell=lambda each: each.what),
)
