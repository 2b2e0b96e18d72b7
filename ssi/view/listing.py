"""What a command shows, as rows that each format is made from: the one place that knows formats.

A command makes a :class:`Listing` (or something else that is :class:`Listed`), and :func:`render`
makes of it what the user asked for. ``docs/json.md`` promises the names in the objects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Generic, Protocol, Self, TypeAlias, TypeVar

from ssi.model.errors import UsageError
from ssi.view.jsonview import JsonObject, JsonValue, render_json, render_json_line, render_lines
from ssi.view.table import Column, needed_cells, render_table
from ssi.view.text import plain
from ssi.view.yamlview import render_yaml

RowT = TypeVar("RowT")
SortValue: TypeAlias = int | float | str

NARROWEST: Final = 12
"""Cells that the last column has at least before others are left out for its sake."""


class Format(StrEnum):
    """How rows are shown."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How the user wants to see a listing.

    Attributes:
        columns: Names of columns as ``-o`` takes them; empty for those of the command.
        sort: Names of columns or of fields, ``-`` for descending; empty for the command's order.
        width_cells: Of the terminal; None for as much as it takes.
        look: Which one of many, from 1: JSON is then one line for each; 0 for the only one.
    """

    format: Format = Format.TABLE
    columns: str = ""
    sort: str = ""
    headers: bool = True
    width_cells: int | None = None
    colour: bool = False
    look: int = 0


class Listed(Protocol):
    """Anything that can be shown in each format."""

    def table(self, way: Way) -> str:
        """As people read it."""

    def objects(self, sort: str) -> list[JsonObject]:
        """As programs read it."""

    def names(self, sort: str) -> list[str]:
        """What other commands take in place of each row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field(Generic[RowT]):
    """One column of a listing.

    Attributes:
        name: As ``-o`` and ``--sort`` have it; in capitals it is the title.
        cell: What it shows.
        order: By which ``--sort`` orders; the text where left out.
        spare: Left out on a terminal that is too narrow, the highest first; 0 never.
        wide: Shown with ``-o wide`` only, or by name.
        filled: Shown only where some row has something in it, or by name.
        colour: Of a cell; empty for none.
    """

    name: str
    cell: Callable[[RowT], str]
    order: Callable[[RowT], SortValue] | None = None
    right: bool = False
    spare: int = 0
    wide: bool = False
    filled: bool = False
    colour: Callable[[RowT], str] | None = None

    def value(self, row: RowT) -> SortValue:
        """What ``--sort`` orders by."""
        return self.cell(row) if self.order is None else self.order(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[RowT]):
    """Rows of one kind.

    Attributes:
        kind: Their name in :mod:`ssi.view.schema`.
        objects_of: The rows as ``docs/json.md`` has them, in their order.
        name_of: What other commands take for the row.
        last: Rows that stay below all others: a sum.
    """

    kind: str
    fields: Sequence[Field[RowT]]
    rows: Sequence[RowT]
    objects_of: Callable[[Sequence[RowT]], list[JsonObject]]
    name_of: Callable[[RowT], str]
    last: Sequence[RowT] = ()

    def table(self, way: Way) -> str:
        """A line for each row, as wide as the terminal at most, unless it is to be wide."""
        shown = self.sorted_by(way.sort)
        rows = [*shown.rows, *shown.last]
        fields = self._chosen(way, rows)
        width_cells = None if way.format is Format.WIDE else way.width_cells
        cells = [[field.cell(row) for row in rows] for field in fields]
        if width_cells is not None and not way.columns:
            fields, cells = _fitted(fields, cells, width_cells)
        paints = {
            index: [field.colour(row) for row in rows]
            for index, field in enumerate(fields)
            if way.colour and field.colour is not None
        }
        return render_table(
            [_column(field) for field in fields],
            list(zip(*cells, strict=True)),
            width_cells=width_cells,
            headers=way.headers,
            paints=paints,
        )

    def objects(self, sort: str) -> list[JsonObject]:
        """All rows, the last ones last."""
        shown = self.sorted_by(sort)
        return self.objects_of([*shown.rows, *shown.last])

    def names(self, sort: str) -> list[str]:
        """The names of the rows, without sums."""
        return [self.name_of(row) for row in self.sorted_by(sort).rows]

    def sorted_by(self, keys: str) -> Self:
        """The same in the order that the keys tell.

        Raises:
            UsageError: A key is neither a column nor a name of the JSON.
        """
        rows = list(self.rows)
        for key in reversed([key.strip() for key in keys.split(",") if key.strip()]):
            values = self._values(key.lstrip("+-"), rows)
            order = sorted(range(len(rows)), key=values.__getitem__, reverse=key.startswith("-"))
            rows = [rows[index] for index in order]
        return replace(self, rows=rows)

    def _values(self, key: str, rows: Sequence[RowT]) -> list[tuple[bool, SortValue]]:
        """What the rows are ordered by; those that have nothing there come first."""
        field = next((field for field in self.fields if field.name == key.lower()), None)
        if field is not None:
            return [(True, field.value(row)) for row in rows]
        from ssi.view.schema import has_name  # which few commands need

        if not has_name(self.kind, key):
            names = ", ".join(field.name for field in self.fields)
            raise UsageError(
                text=f"--sort: there is no column {key!r}",
                hint=f"columns: {names}; or a name of docs/json.md, as a.b",
            )
        return [orderly(_at(each, key)) for each in self.objects_of(rows)]

    def _chosen(self, way: Way, rows: Sequence[RowT]) -> list[Field[RowT]]:
        if way.columns:
            return [self._field(name) for name in way.columns.split(",") if name.strip()]
        return [
            field
            for field in self.fields
            if (way.format is Format.WIDE or not field.wide)
            and (not field.filled or any(map(field.cell, rows)))
        ]

    def _field(self, name: str) -> Field[RowT]:
        for field in self.fields:
            if field.name == name.strip().lower():
                return field
        names = ", ".join(field.name for field in self.fields)
        formats = ", ".join(each.value for each in Format)
        raise UsageError(
            text=f"-o: there is no format and no column {name.strip()!r}",
            hint=f"formats: {formats}; columns: {names}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Results of deeds: lines for people, and an object for each.

    Attributes:
        lines: Each without its end.
    """

    lines: Sequence[str]
    results: Sequence[JsonObject]
    named: Sequence[str]

    def table(self, _way: Way) -> str:
        """The lines."""
        return "".join(f"{plain(line)}\n" for line in self.lines)

    def objects(self, _sort: str) -> list[JsonObject]:
        """The results, in their order."""
        return list(self.results)

    def names(self, _sort: str) -> list[str]:
        """What was done something to."""
        return list(self.named)


def render(listed: Listed, way: Way) -> str:
    """The rows in the format that is asked for; lines, each ended.

    Raises:
        UsageError: A column or a key to sort by is unknown.
    """
    match way.format:
        case Format.TABLE | Format.WIDE:
            return listed.table(way)
        case Format.JSON:
            objects = listed.objects(way.sort)
            return render_json_line(objects) if way.look else render_json(objects)
        case Format.JSONL:
            objects = listed.objects(way.sort)
            if way.look:
                objects = [{"look": way.look, **each} for each in objects]
            return render_lines(objects)
        case Format.YAML:
            document = render_yaml(listed.objects(way.sort))
            return f"---\n{document}" if way.look else document
        case Format.NAME:
            return "".join(f"{plain(name)}\n" for name in listed.names(way.sort))


def _at(value: JsonValue, path: str) -> JsonValue:
    """What stands at ``a.b``; null where nothing is known."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def orderly(value: JsonValue) -> tuple[bool, SortValue]:
    """A value of the JSON as it is ordered by: null first, what is no scalar by its text."""
    if value is None:
        return False, 0
    return True, value if isinstance(value, int | float | str) else str(value)


def _column(field: Field[RowT]) -> Column:
    return Column(title=field.name.upper(), right=field.right)


def _fitted(
    fields: list[Field[RowT]], cells: list[list[str]], width_cells: int
) -> tuple[list[Field[RowT]], list[list[str]]]:
    """As many of the columns as a terminal has room for; never none."""
    kept = list(range(len(fields)))
    needs = [
        needed_cells(_column(field), column) for field, column in zip(fields, cells, strict=True)
    ]
    last = len(fields) - 1
    if not fields[last].right:
        needs[last] = min(needs[last], max(NARROWEST, len(fields[last].name)))
    while sum(needs[index] + 1 for index in kept) - 1 > width_cells:
        spare = max(kept, key=lambda index: fields[index].spare)
        if not fields[spare].spare:
            break
        kept.remove(spare)
    return [fields[index] for index in kept], [cells[index] for index in kept]
