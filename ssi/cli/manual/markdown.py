"""A page of the manual as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from ssi.cli.manual.page import Page, Section, own_sections

HEAD: Final = (
    "<!-- Written by `./dev docs` from what `--help` is made from; not to be edited. -->\n"
)

_SPECIAL: Final = re.compile(r"([\\*_<>\[\]|])")


def render(page: Page) -> str:
    """A file of ``docs/verbs``: the verb, and verbs of its own below it."""
    parts = [HEAD, f"# {page.name}\n", *_body(page, level=2)]
    for part in page.parts:
        parts += [f"## {part.name}\n", *_body(replace(part, sections=own_sections(part)), level=3)]
    if page.see or page.documents:
        verbs = [f"[ssi {name}]({name.split()[0]}.md)" for name in page.see]
        documents = [f"[{name}](../{name})" for name in page.documents]
        parts += ["## See also\n", ", ".join([*verbs, *documents]) + "\n"]
    return "\n".join(parts)


def render_index(pages: Sequence[Page]) -> str:
    """``docs/verbs/README.md``: a line for each verb."""
    rows = [f"| [{page.name}]({file_of(page)}) | {_text(page.about[0])} |\n" for page in pages[1:]]
    return f"{HEAD}\n# The verbs\n\n| verb | |\n|---|---|\n{''.join(rows)}"


def file_of(page: Page) -> str:
    """The name of its file."""
    return f"{page.name.removeprefix('ssi').strip()}.md"


def _body(page: Page, *, level: int) -> list[str]:
    parts = [f"    {page.usage}\n", *(f"{_text(each)}\n" for each in page.about)]
    for section in page.sections:
        parts += [f"{'#' * level} {section.title}\n", _table(section)]
    if page.examples:
        lines = [f"    {each.name}\n\n{_text(each.meaning)}\n" for each in page.examples]
        parts += [f"{'#' * level} Examples\n", *lines]
    return parts


def _table(section: Section) -> str:
    rows = [f"| {_code(each.name)} | {_text(each.meaning)} |\n" for each in section.terms]
    return f"| | |\n|---|---|\n{''.join(rows)}"


def _code(text: str) -> str:
    """A span of code within a table, where a bar would end the cell."""
    return "`" + text.replace("|", "\\|") + "`"


def _text(text: str) -> str:
    """Prose, in which only what stands between backticks means something."""
    parts = text.split("`")
    return "`".join(
        part.replace("|", "\\|") if index % 2 else _SPECIAL.sub(r"\\\1", part)
        for index, part in enumerate(parts)
    )
