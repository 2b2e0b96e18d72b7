"""Writes ``docs/verbs`` and ``docs/man``, a page for each verb, from the tree of commands."""

from __future__ import annotations

from pathlib import Path

from ssi.cli.main import tree
from ssi.cli.manual import markdown, roff
from ssi.cli.manual.page import pages_of

VERBS = Path(__file__).with_name("verbs")
MAN = Path(__file__).with_name("man")


def wanted() -> dict[Path, str]:
    """Each file that there is to be, and what it says."""
    pages = pages_of(tree())
    files = {VERBS / "README.md": markdown.render_index(pages)}
    files |= {VERBS / markdown.file_of(page): markdown.render(page) for page in pages[1:]}
    return files | {MAN / roff.file_of(page): roff.render(page) for page in pages}


def main() -> None:
    """Writes all, and removes pages of verbs that are no more."""
    files = wanted()
    for folder in (VERBS, MAN):
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            if path not in files:
                path.unlink()
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
