"""The structure of a line as shfmt tells it, reduced to what placing its parts needs.

Offsets count bytes of the UTF-8 text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Tree: TypeAlias = Mapping[str, Any]
"""A node of shfmt's JSON. Any: whatever shfmt has."""

Joint: TypeAlias = Literal["", "&&", "||"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of the text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A simple command.

    Attributes:
        whole: All of it: assignments, words and redirections, without ``!``, ``&`` and ``;``.
        words: Of its words, in order; the first is the command.
        has_assignments: ``x=1 cmd``, or ``x=1`` alone.
        targets: Words that redirections name.
        has_document: A here-document, whose text stands below.
    """

    whole: Span
    words: tuple[Span, ...]
    has_assignments: bool
    targets: tuple[Span, ...]
    has_document: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A command of a pipeline: ``call`` is None for a compound one."""

    whole: Span
    call: Call | None
    takes_errors: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A pipeline of a list.

    Attributes:
        joint: What stands before it.
        whole: All of it, ``!`` included.
        stages: In order.
        background: Ends with ``&``, and all that it is joined to with it.
        negated: Begins with ``!``.
        is_timed: Begins with ``time``, or is a coprocess.
    """

    joint: Joint
    whole: Span
    stages: tuple[Stage, ...]
    background: bool = False
    negated: bool = False
    is_timed: bool = False


def leaves_of(tree: Tree) -> list[list[Leaf]]:
    """For each statement of the line the pipelines that ``&&`` and ``||`` join."""
    return [list(_leaves(each, "")) for each in tree.get("Stmts", [])]


def calls_of(tree: Any) -> Iterator[Call]:  # Any: any part of the tree
    """Every simple command, also those within others, in the order of the text."""
    if isinstance(tree, list):
        for each in tree:
            yield from calls_of(each)
    elif isinstance(tree, dict):
        command = tree.get("Cmd")
        if isinstance(command, dict) and command.get("Type") == "CallExpr":
            yield _call(tree)
        for value in tree.values():
            if isinstance(value, dict | list):
                yield from calls_of(value)


def _leaves(statement: Tree, joint: Joint) -> Iterator[Leaf]:
    command = statement.get("Cmd") or {}
    background = bool(statement.get("Background"))
    if command.get("Type") == "BinaryCmd" and command["Op"] in {"&&", "||"}:
        first = list(_leaves(command["X"], joint))
        second = list(_leaves(command["Y"], command["Op"]))
        for leaf in (*first, *second):
            yield _in_background(leaf) if background else leaf
        return
    yield Leaf(
        joint=joint,
        whole=_extent(statement),
        stages=tuple(_stages(statement)),
        background=background,
        negated=bool(statement.get("Negated")),
        is_timed=command.get("Type") in {"TimeClause", "CoprocClause"}
        or bool(statement.get("Coprocess")),
    )


def _in_background(leaf: Leaf) -> Leaf:
    return Leaf(
        joint=leaf.joint,
        whole=leaf.whole,
        stages=leaf.stages,
        background=True,
        negated=leaf.negated,
        is_timed=leaf.is_timed,
    )


def _stages(statement: Tree, *, takes_errors: bool = False) -> Iterator[Stage]:
    command = statement.get("Cmd") or {}
    if command.get("Type") == "BinaryCmd" and command["Op"] in {"|", "|&"}:
        yield from _stages(command["X"], takes_errors=takes_errors)
        yield from _stages(command["Y"], takes_errors=command["Op"] == "|&")
        return
    is_call = command.get("Type") == "CallExpr" or not command
    yield Stage(
        whole=_extent(statement),
        call=_call(statement) if is_call else None,
        takes_errors=takes_errors,
    )


def _call(statement: Tree) -> Call:
    command = statement.get("Cmd") or {}
    redirections = statement.get("Redirs") or []
    parts = [*command.get("Assigns", []), *command.get("Args", []), *redirections]
    start = min((_offset(part["Pos"]) for part in parts), default=_offset(statement["Pos"]))
    end = max((_offset(_end(part)) for part in parts), default=_offset(statement["End"]))
    return Call(
        whole=Span(start=start, end=end),
        words=tuple(_span(word) for word in command.get("Args", [])),
        has_assignments=bool(command.get("Assigns")),
        targets=tuple(_span(each["Word"]) for each in redirections if each.get("Word")),
        has_document=any("Hdoc" in each for each in redirections),
    )


def _extent(statement: Tree) -> Span:
    """A statement without the ``&`` or ``;`` that ends it."""
    start, end = _offset(statement["Pos"]), _offset(statement["End"])
    mark = statement.get("Semicolon")
    if mark and _offset(mark):
        end = min(end, _offset(mark))
    return Span(start=start, end=end)


def _end(part: Tree) -> Any:  # Any: a position of shfmt
    """Of a here-document the redirection alone; its text stands below."""
    return part["Word"]["End"] if "Hdoc" in part else part["End"]


def _span(part: Tree) -> Span:
    return Span(start=_offset(part["Pos"]), end=_offset(part["End"]))


def _offset(position: Mapping[str, int]) -> int:
    return position.get("Offset", 0)
