"""Writes ``docs/troubleshooting.md`` from what ``ssi explain`` tells of each error."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from ssi.cli.explain import explanations
from ssi.view.explanations import Explanation

TARGET = Path(__file__).with_name("troubleshooting.md")

_HEAD = """\
# When something goes wrong

<!-- Written by `./dev docs` from what `ssi explain` tells; not to be edited. -->

Each error is a line on stderr that says what failed and where, why, and what to try, with a code
in brackets behind it. The code does not change between releases; below it stands as a heading, with
the exit status that it ends a command with. `ssi explain CODE` shows the same in a terminal.

Three things to look at first:

- `ssi doctor` examines this machine and all nodes, and names the command that mends what it finds.
- `ssi nodes` and `ssi events` tell which node is away, and since when.
- The logs of a node: `agent.log`, `keeper.log` and `files.log` in `/var/lib/ssi` (of an agent
  that is not root's in `~/.local/state/ssi`). `--debug` shows where in ssi an error comes from.

What each verb's exit status means when nothing of this is the matter: [cli.md](cli.md).

## By exit status

| status | codes |
|---|---|
"""


def render() -> str:
    """The whole document."""
    known = explanations()
    return _HEAD + _statuses(known) + "\n## By code\n" + "".join(map(_chapter, known))


def _statuses(known: list[Explanation]) -> str:
    ordered = sorted(known, key=lambda each: each.exit_status)
    rows = []
    for status, group in groupby(ordered, key=lambda each: each.exit_status):
        links = ", ".join(f"[{each.code}](#{each.code})" for each in group)
        rows.append(f"| {status} | {links} |\n")
    return "".join(rows)


def _chapter(each: Explanation) -> str:
    return (
        f"\n### {each.code}\n\n"
        f"{_plain(each.what)} (Exit status {each.exit_status}.)\n\n"
        f"*Why:* {_plain(each.why)}\n\n*Try:* {_plain(each.remedy)}\n"
    )


def _plain(text: str) -> str:
    """Prose, in which no word means something to Markdown but what stands between backticks."""
    parts = text.split("`")
    return "`".join(
        part if index % 2 else part.replace("*", "\\*").replace("_", "\\_").replace("<", "\\<")
        for index, part in enumerate(parts)
    )


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
