"""A page of the manual as man(1) reads it: roff with the macros of man(7)."""

from __future__ import annotations

import re
from typing import Final

from ssi.cli.manual.page import Page, Section, Term, own_sections
from ssi.version import VERSION

_SPAN: Final = re.compile(r"`([^`]+)`")


def render(page: Page) -> str:
    """A file of ``man1``."""
    lines = [
        r".\" Written by `./dev docs` from what `--help` is made from; not to be edited.",
        f'.TH {page.slug.upper()} 1 "" "ssi {VERSION}" "ssi"',
        ".SH NAME",
        f"{_plain(page.slug)} \\- {_text(_uncapitalised(page.about[0]))}",
        ".SH SYNOPSIS",
        *_verbatim(page.usage),
        ".SH DESCRIPTION",
        *_paragraphs(page.about),
    ]
    for section in page.sections:
        lines += [f".SH {section.title.upper()}", *_section(section)]
    for part in page.parts:
        lines += [f".SH {part.name.upper()}", *_part(part)]
    examples = [example for each in page.whole for example in each.examples]
    if examples:
        lines += [".SH EXAMPLES", *_examples(examples)]
    lines += [".SH SEE ALSO", _see(page)]
    return "\n".join(lines) + "\n"


def file_of(page: Page) -> str:
    """The name of its file."""
    return f"{page.slug}.1"


def _uncapitalised(text: str) -> str:
    """What stands behind the name in lists of pages is no sentence."""
    return (text[:1].lower() + text[1:]).rstrip(".")


def _part(page: Page) -> list[str]:
    """A verb of a verb's own, within its page."""
    lines = [*_verbatim(page.usage), *_paragraphs(page.about)]
    for section in own_sections(page):
        lines += [f".SS {section.title}", *_section(section)]
    return lines


def _section(section: Section) -> list[str]:
    lines = []
    for term in section.terms:
        lines += [".TP", f"\\fB{_plain(term.name)}\\fR", _text(term.meaning)]
    return lines


def _examples(examples: list[Term]) -> list[str]:
    lines = []
    for each in examples:
        lines += [".PP", _text(each.meaning), *_verbatim(each.name)]
    return lines


def _see(page: Page) -> str:
    slugs = [f"ssi-{name.split()[0]}" for name in page.see]
    if page.name != "ssi":
        slugs.insert(0, "ssi")
    pages = [f"\\fB{_plain(slug)}\\fR(1)" for slug in slugs]
    documents = [_plain(f"docs/{name}") for name in page.documents]
    return ", ".join([*pages, *documents, "\\fBssi\\-explain\\fR(1)"])


def _paragraphs(texts: tuple[str, ...]) -> list[str]:
    return [line for text in texts for line in (".PP", _text(text))]


def _verbatim(text: str) -> list[str]:
    """A line that is not filled."""
    return [".PP", ".nf", ".RS 4", _plain(text), ".RE", ".fi"]


def _text(text: str) -> str:
    """Prose, in which only what stands between backticks means something."""
    return _SPAN.sub(r"\\fB\1\\fR", _plain(text))


def _plain(text: str) -> str:
    r"""Text that roff takes for nothing else; a line must not begin with its control characters."""
    safe = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha")
    safe = safe.replace("'", "\\(aq")
    return f"\\&{safe}" if safe.startswith(".") else safe
