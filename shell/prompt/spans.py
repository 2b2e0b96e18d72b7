"""What each part of a line is, by the grammar of tree-sitter: for colours, and for nothing else.

That grammar accepts most of bash, and misreads some of it; what is executed is bash's own reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

LONGEST: Final = 20_000
"""Characters of the longest text that is looked at; a longer one has no colours."""

_KEYWORDS: Final = frozenset(
    {"if", "then", "else", "elif", "fi", "for", "in", "do", "done", "while", "until", "case"}
    | {"esac", "function", "select", "[[", "]]", "{", "}", "((", "))", "declare", "typeset"}
    | {"export", "readonly", "local", "unset", "unsetenv"}
)
_STYLES: Final = {
    "comment": "comment",
    "string": "string",
    "raw_string": "string",
    "ansi_c_string": "string",
    "translated_string": "string",
    "heredoc_body": "string",
    "heredoc_start": "string",
    "heredoc_end": "string",
    "simple_expansion": "variable",
    "expansion": "variable",
    "variable_name": "variable",
    "special_variable_name": "variable",
    "arithmetic_expansion": "variable",
    "regex": "string",
}
DEEPEST: Final = 50
"""Commands within commands that are looked at."""

_EXPANSIONS: Final = frozenset({"simple_expansion", "expansion", "arithmetic_expansion"})
_DYNAMIC: Final = re.compile(r"[$`*?\[{(]")
_WORDS: Final = frozenset({"word", "concatenation", "string", "raw_string", "number"})
_BEYOND: Final = re.compile(r"[^\x00-\x7f]")
_NAME: Final = re.compile(r"[\w.-]+")

Check = Literal["", "command", "path", "input"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of the text, by characters; one inside of another comes after it.

    Attributes:
        style: What it is.
        check: What can be asked about it: whether it is a command, or a path, or a path that is
            read from and so has to be there.
        value: The word without quotes, where it is checked.
        place: The node that is named for it; empty for where the session is; None where it is not
            known which node will be meant.
    """

    start: int
    end: int
    style: str
    check: Check = ""
    value: str = ""
    place: str | None = ""


def spans(text: str) -> list[Span]:
    """What the parts of the text are."""
    if len(text) > LONGEST:
        return []
    # The grammar looks letters up in a table of 256: with others behind a brace it reads what is
    # not there, and the process ends (seen). With a letter for each of them, bytes are characters.
    tree = _parser().parse(_BEYOND.sub("x", text).encode("ascii"))
    return list(_Reading(text).children(tree.root_node))


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bash.language()))


class _Reading:
    """The tree of a text, read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._depth = 0

    def children(self, node: Node) -> Iterator[Span]:
        """The parts of a node, and theirs."""
        if self._depth < DEEPEST:
            self._depth += 1
            yield from self._of_node(node)
            self._depth -= 1

    def _of_node(self, node: Node) -> Iterator[Span]:
        """The parts of a node; those of a command, with what its placement says of the next."""
        place = self._place_of_body(node)
        is_placed = False
        for child in node.children:
            if child.type == "command_name" and self._of(child).startswith("@"):
                yield _span(child, "placement")
                place, is_placed = self._place(child), True
            elif child.type == "command_name" or (is_placed and child.type in _WORDS):
                yield from self._command(child, place)
                is_placed = False
            elif child.type in _WORDS and node.type in {"command", "ERROR"}:
                yield from self._argument(child, place)
            elif child.type == "file_redirect":
                yield from self._redirect(child, place)
            else:
                yield from self._part(child)

    def _of(self, node: Node) -> str:
        return self._text[node.start_byte : node.end_byte]

    def _place(self, node: Node) -> str | None:
        named = self._of(node)[1:]
        return named if _NAME.fullmatch(named) else None

    def _place_of_body(self, node: Node) -> str | None:
        """Where the command of redirections runs: they are not below it, but beside it."""
        body = node.child_by_field_name("body") if node.type == "redirected_statement" else None
        while body is not None and body.type in {"pipeline", "list"}:  # it takes them for all's
            body = body.named_children[-1]
        name = body.child_by_field_name("name") if body is not None else None
        if name is None or not self._of(name).startswith("@"):
            return ""
        return self._place(name)

    def _command(self, node: Node, place: str | None) -> Iterator[Span]:
        value = self._literal(node)
        yield _span(node, "command", check="command" if value else "", value=value, place=place)
        if not value:
            yield from self.children(node)

    def _argument(self, node: Node, place: str | None) -> Iterator[Span]:
        value = self._literal(node)
        if value.startswith("-") and node.type in {"word", "number"}:
            yield _span(node, "option")
            return
        style = _STYLES.get(node.type, "argument")
        yield _span(node, style, check="path" if value else "", value=value, place=place)
        yield from self.children(node)

    def _redirect(self, node: Node, place: str | None) -> Iterator[Span]:
        is_input = any(child.type == "<" for child in node.children)
        for child in node.children:
            is_word = child.type in _WORDS and child.type != "number"
            value = self._literal(child) if is_word else ""
            if value:
                check: Check = "input" if is_input else "path"
                yield _span(child, "argument", check=check, value=value, place=place)
            else:
                yield from self._part(child)

    def _part(self, node: Node) -> Iterator[Span]:
        style = _STYLES.get(node.type, "")
        if not node.is_named and (node.parent is None or node.parent.type not in _EXPANSIONS):
            style = "keyword" if node.type in _KEYWORDS else "operator"
            if node.type in {'"', "'"}:
                style = "string"
        if style:
            yield _span(node, style)
        yield from self.children(node)

    def _literal(self, node: Node) -> str:
        """What a word is for certain, whatever is expanded; empty where that is not certain."""
        text = self._of(node)
        if node.type == "command_name" and node.child_count == 1:
            node = node.children[0]
        if node.type == "raw_string":
            return text[1:-1]
        if _DYNAMIC.search(text) or node.has_error:
            return ""
        if node.type == "string":
            return "" if "\\" in text else text[1:-1]
        if node.type in {"word", "number"}:
            return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
        return ""


def _span(
    node: Node, style: str, *, check: Check = "", value: str = "", place: str | None = ""
) -> Span:
    return Span(
        start=node.start_byte,
        end=node.end_byte,
        style=style,
        check=check,
        value=value,
        place=place,
    )
