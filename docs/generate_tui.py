"""Writes the table of keys in ``docs/tui.md`` from the one table of bindings."""

from __future__ import annotations

import re
from pathlib import Path

from tui.bindings import markdown_table

DOCUMENT = Path(__file__).parent / "tui.md"
TABLE = re.compile(r"(?<=<!-- keys -->\n\n).*?(?=\n<!-- end of keys -->)", re.DOTALL)


def main() -> None:
    """Puts the table in its place."""
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(TABLE.sub(lambda _: markdown_table(), text), encoding="utf-8")


if __name__ == "__main__":
    main()
