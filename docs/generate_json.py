"""Writes ``docs/json.md`` from the schema: ``python docs/generate_json.py``."""

from __future__ import annotations

from pathlib import Path

from ssi.view.kind import PART, VERSION, Kind
from ssi.view.kinds import KINDS

TARGET = Path(__file__).with_name("json.md")

_HEAD = """\
# What commands print for programs

This is version {version} of the schema. It is written from `ssi/view/kinds.py`
(`python docs/generate_json.py`), and tests compare it with what commands print; `ssi schema` shows
it as JSON Schema, with its version. Names that stand here stay, with their type and meaning; one
that goes or changes makes another version. New ones may be added, so a program should ignore what
it does not know. What is not known or not there is null.

| | |
|---|---|
| `-o json`, `--json` | a list, an object to a line; with `--watch`, a look to a line |
| `-o jsonl` | an object to a line; with `--watch`, each also has `look`, which counts from 1 |
| `-o yaml` | the same list as YAML; with `--watch`, a document for each look |
| `-o name` | only what other commands take in place of each row, one to a line |
| `-o wide` | a table with all columns, never cut |
| `-o a,b` | a table with these columns |

`--sort` takes columns and names of this page, `metrics.cores` too, `-` for descending: `--sort
-metrics.cores,name`. `--no-headers` leaves titles out. The text of JSON and YAML is ASCII, and
nothing in it can move a cursor. Off a terminal a table is never cut, and its columns are always the
same.

Names end in their unit: `_s` seconds, `_ms` milliseconds, `_bytes`, `_percent` (100 is whole, or
one core). `_at_s` is a wall-clock time in seconds since 1970, on the clock of the node that tells
it.
"""


def render() -> str:
    """The whole document."""
    parts = {name: kind for name, kind in KINDS.items() if kind.title is PART}
    sections = [_section(f"`{kind.title}`", kind) for kind in KINDS.values() if kind.title != PART]
    sections += [_section(f"{{{name}}}", kind) for name, kind in parts.items()]
    return _HEAD.format(version=VERSION) + "".join(sections)


def _section(title: str, kind: Kind) -> str:
    rows = "".join(
        f"| `{each.name}` | {each.type}{'' if each.always else ', maybe'} | {each.about} |\n"
        for each in kind.names
    )
    return f"\n## {title}\n{kind.about}\n\n| name | type | |\n|---|---|---|\n{rows}"


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
