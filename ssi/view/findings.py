"""Findings of ``ssi doctor`` as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from ssi.model.examination import Finding, Verdict
from ssi.view.jsonview import JsonObject
from ssi.view.table import Column, render_table

_COLUMNS = (
    Column(title="WHERE"),
    Column(title="CHECK"),
    Column(title="VERDICT"),
    Column(title="FOUND"),
)


def render_findings(
    findings: Sequence[Finding], *, everything: bool, width_cells: int | None = None
) -> str:
    """A line for each finding with its cure below it, and how many there are of each kind.

    Args:
        findings: In the order in which they are shown.
        everything: Whether also what is well is shown.
        width_cells: Of the terminal.
    """
    shown = [each for each in findings if everything or each.verdict is not Verdict.OK]
    cells = []
    for each in shown:
        cells.append((each.where, each.check, each.verdict.value, each.text))
        if each.remedy:
            cells.append(("", "", "", f"  -> {each.remedy}"))
    table = render_table(_COLUMNS, cells, width_cells=width_cells) if cells else ""
    counts = {verdict: sum(f.verdict is verdict for f in findings) for verdict in Verdict}
    return table + ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items()) + "\n"


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
