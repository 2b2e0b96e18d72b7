"""What the manual says of a verb: read from the tree of commands."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from ssi.cli.options import SETTINGS
from ssi.cli.output import ROWS

SOURCE: Final = Path(__file__).with_name("examples.toml")

COMMON: Final = "Options of every verb"

_EVERYWHERE: Final = frozenset({*(each.name for each in SETTINGS), "help"})
_OF_OUTPUT: Final = frozenset(each.name for each in ROWS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A word or an option, and what it means."""

    name: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Terms under a title; there is at least one."""

    title: str
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What there is to say of a verb.

    Attributes:
        name: As it is typed, ``ssi run``.
        usage: How it is written, the name included.
        about: Its help, a paragraph each; the first line of it tells what it does.
        sections: Words, options of its own, and those that it shares.
        examples: Command lines, each with what it does.
        see: Verbs that belong to it.
        documents: Of ``docs/``, what tells more.
        parts: Pages of verbs of its own, as ``ssi lab up``.
    """

    name: str
    usage: str
    about: tuple[str, ...]
    sections: tuple[Section, ...]
    examples: tuple[Term, ...]
    see: tuple[str, ...]
    documents: tuple[str, ...]
    parts: tuple[Page, ...]

    @property
    def slug(self) -> str:
        """The name of its file, without what kind of file it is: ``ssi-run``."""
        return self.name.replace(" ", "-")

    @property
    def whole(self) -> Iterator[Page]:
        """This page and those of its own verbs."""
        yield self
        for part in self.parts:
            yield from part.whole


def pages_of(tree: Any) -> list[Page]:  # Any: see ssi.cli.main.Commands
    """The page of ``ssi`` itself, then one for each verb in the order of the help."""
    root = _context(tree, "ssi", None)
    names = tree.list_commands(root)
    verbs = [page_of(tree.get_command(root, name), name, root) for name in names]
    listed = tuple(Term(name=page.name, meaning=" ".join(page.about[0].split())) for page in verbs)
    first = _page(tree, root, parts=(), sections=(Section(title="Verbs", terms=listed),))
    return [first, *verbs]


def own_sections(page: Page) -> tuple[Section, ...]:
    """Without the options of every verb, which stand on each page once."""
    return tuple(section for section in page.sections if section.title != COMMON)


def page_of(command: Any, name: str, parent: Any) -> Page:  # Any: see ssi.cli.main.Commands
    """The page of one verb.

    Args:
        command: As the tree has it.
        name: Without that of its parent.
        parent: The context of the command that it belongs to.
    """
    context = _context(command, name, parent)
    own = getattr(command, "commands", {})
    parts = tuple(page_of(each, key, context) for key, each in own.items())
    return _page(command, context, parts=parts)


def _page(
    command: Any, context: Any, *, parts: tuple[Page, ...], sections: tuple[Section, ...] = ()
) -> Page:
    name = " ".join(context.command_path.split())
    extra = _extras().get(name.removeprefix("ssi").strip() or "ssi", {})
    return Page(
        name=name,
        usage=f"{name} {' '.join(command.collect_usage_pieces(context))}",
        about=tuple(" ".join(part.split()) for part in (command.help or "").split("\n\n")),
        sections=(*sections, *_sections(command, context)),
        examples=tuple(
            Term(name=line, meaning=meaning) for line, meaning in extra.get("examples", {}).items()
        ),
        see=tuple(extra.get("see", ())),
        documents=tuple(extra.get("documents", ())),
        parts=parts,
    )


def _sections(command: Any, context: Any) -> Iterator[Section]:
    terms: dict[str, list[Term]] = {}
    for each in command.get_params(context):
        record = each.get_help_record(context)
        if record is not None:
            name, meaning = record
            meaning = " ".join(meaning.split())
            terms.setdefault(_title_of(each), []).append(Term(name=name, meaning=meaning))
    for title in ("Words", "Options", "Options of what is shown", COMMON):
        if title in terms:
            yield Section(title=title, terms=tuple(terms[title]))


def _title_of(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return "Words"
    if parameter.name in _EVERYWHERE:
        return COMMON
    return "Options of what is shown" if parameter.name in _OF_OUTPUT else "Options"


def _context(command: Any, name: str, parent: Any) -> Any:
    return command.make_context(name, [], parent=parent, resilient_parsing=True)


@cache
def _extras() -> dict[str, dict[str, Any]]:  # Any: what TOML holds
    """What is told of a verb beside its help, by its name without ``ssi``."""
    return tomllib.loads(SOURCE.read_text(encoding="utf-8"))
