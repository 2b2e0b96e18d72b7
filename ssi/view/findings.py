"""Findings of ``ssi doctor`` as a listing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ssi.model.examination import Finding, Verdict
from ssi.view.colour import of_state
from ssi.view.jsonview import JsonObject
from ssi.view.listing import Field, Format, Listing, Way
from ssi.view.table import Column, render_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All findings, in the order in which they are shown.

    Attributes:
        everything: Whether a table has also what is well; other formats always do.
    """

    findings: Sequence[Finding]
    everything: bool

    def table(self, way: Way) -> str:
        """A line for each finding, with its cure below it, and how many there are of each kind."""
        if way.columns or way.format is Format.WIDE:
            return self._listing().table(way)
        shown = [f for f in self.findings if self.everything or f.verdict is not Verdict.OK]
        lines: list[Finding | str] = []
        for finding in _listing(shown).sorted_by(way.sort).rows:
            lines += [finding, *([finding.remedy] if finding.remedy else [])]
        table = render_table(
            _COLUMNS,
            [_cells(line) for line in lines],
            width_cells=way.width_cells,
            headers=way.headers,
            paints={2: [_colour(line) for line in lines]} if way.colour else None,
        )
        counts = {verdict: sum(f.verdict is verdict for f in self.findings) for verdict in Verdict}
        told = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items())
        return f"{table if lines else ''}{told}\n"

    def objects(self, sort: str) -> list[JsonObject]:
        """All of them."""
        return self._listing().objects(sort)

    def names(self, sort: str) -> list[str]:
        """Where something was found that is not well, and what."""
        ill = [f for f in self.findings if f.verdict is not Verdict.OK]
        return _listing(ill).names(sort)

    def _listing(self) -> Listing[Finding]:
        return _listing(self.findings)


def _listing(findings: Sequence[Finding]) -> Listing[Finding]:
    return Listing(
        kind="doctor",
        fields=_FIELDS,
        rows=findings,
        objects_of=finding_objects,
        name_of=lambda finding: f"{finding.where}/{finding.check}",
    )


def finding_objects(findings: Sequence[Finding]) -> list[JsonObject]:
    """All of them for ``--json``."""
    return [
        {
            "where": each.where,
            "check": each.check,
            "verdict": each.verdict.value,
            "text": each.text,
            "remedy": each.remedy or None,
        }
        for each in findings
    ]


def _cells(line: Finding | str) -> tuple[str, str, str, str]:
    """Of a finding, or of the cure below it."""
    if isinstance(line, str):
        return "", "", "", f"  -> {line}"
    return line.where, line.check, line.verdict.value, line.text


def _colour(line: Finding | str) -> str:
    return "" if isinstance(line, str) else of_state(line.verdict.value)


_FIELDS: Final[tuple[Field[Finding], ...]] = (
    Field(name="where", cell=lambda finding: finding.where),
    Field(name="check", cell=lambda finding: finding.check),
    Field(
        name="verdict",
        cell=lambda finding: finding.verdict.value,
        order=lambda finding: list(Verdict).index(finding.verdict),
        colour=lambda finding: of_state(finding.verdict.value),
    ),
    Field(name="found", cell=lambda finding: finding.text),
    Field(name="remedy", cell=lambda finding: finding.remedy, wide=True),
)
_COLUMNS: Final = tuple(Column(title=field.name.upper()) for field in _FIELDS if not field.wide)
