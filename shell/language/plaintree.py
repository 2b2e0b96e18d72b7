"""The structure of lines that have no more than words, pipes, lists and redirections.

Most lines that people type are no more than that. Their structure needs no program to be asked, and
is known on nodes, too, which have no shfmt. Whatever is beyond it is refused, never guessed.
"""

from __future__ import annotations

import re
from typing import Any, Final

from shell.language.plan import KEYWORDS
from shell.language.structure import Tree

_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t]+)
    |(?P<redirection>(?:[0-9]*(?:>>|>\||>|<)|&>>?)(?![<>&(|]))
    |(?P<operator>&&|\|\||\|&|\||;(?![;&])|&(?![>]))
    |(?P<word>(?:[A-Za-z0-9_./%+:,=@^\]~?*!-]|\[|\$[A-Za-z_][A-Za-z0-9_]*|\$[?!]
        |(?<!\$)'[^'\n]*'
        |"(?:[^"\\$`\n!]|\$[A-Za-z_][A-Za-z0-9_]*)*"|[{][A-Za-z0-9_,.]+[}])+)""",
    re.VERBOSE,
)

_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\[|\+?=)|[^\[]*=.*\[")
"""Or what may become one: a command is not called ``a[`` or ``2x=1[`` often enough to tell."""

Part = dict[str, Any]
"""A part of a tree. Any: as shfmt's JSON has it."""


def plain_tree(text: str) -> Tree | None:
    """The tree of a line as shfmt tells it, of what :mod:`shell.language.structure` reads of it.

    None where the line has more than words, pipes, lists and redirections.
    """
    if not text.isascii():
        return None
    tokens = _tokens(text)
    if not tokens:
        return None
    statements: list[Part] = []
    reader = _Reader(tokens)
    while not reader.is_done:
        statement = reader.statement()
        if statement is None:
            return None
        statements.append(statement)
    return {"Stmts": statements}


def _tokens(text: str) -> list[tuple[str, int, int, str]] | None:
    """Kind, start, end and text of each; None where there is something else."""
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        if match.lastgroup != "space":
            found.append((str(match.lastgroup), at, match.end(), match[0]))
        elif found and re.fullmatch(r"[0-9]+", found[-1][3]) and text[match.end() :][:1] in "<>":
            return None  # `echo 2 >f`: rare, and easily read wrongly
        at = match.end()
    return found


class _Reader:
    def __init__(self, tokens: list[tuple[str, int, int, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def is_done(self) -> bool:
        return self._at >= len(self._tokens)

    def statement(self) -> Part | None:
        """An and-or list, with the ``;`` or ``&`` that ends it."""
        left = self._pipeline()
        while left is not None and (operator := self._next("&&", "||")) is not None:
            left = _joined(left, operator[3], self._pipeline())
        if left is None:
            return None
        end = self._next(";", "&")
        if end is not None:
            left["Semicolon"] = {"Offset": end[1]}
            left["End"] = {"Offset": end[2]}
            left["Background"] = end[3] == "&"
        elif not self.is_done:
            return None
        return left

    def _pipeline(self) -> Part | None:
        left = self._call()
        while left is not None and (operator := self._next("|", "|&")) is not None:
            left = _joined(left, operator[3], self._call())
        return left

    def _call(self) -> Part | None:
        words: list[Part] = []
        redirections: list[Part] = []
        start = end = -1
        while not self.is_done and self._tokens[self._at][0] != "operator":
            kind, begin, end, text = self._tokens[self._at]
            start = begin if start < 0 else start
            self._at += 1
            if kind == "word":
                if not words and (text in KEYWORDS or _ASSIGNMENT.match(text)):
                    return None
                words.append(_span(begin, end))
                continue
            if self.is_done or self._tokens[self._at][0] != "word":
                return None
            _, first, end, _ = self._tokens[self._at]
            self._at += 1
            redirections.append({**_span(begin, end), "Word": _span(first, end)})
        if not words:
            return None
        command = {"Type": "CallExpr", "Args": words, **_span(start, end)}
        return {**_span(start, end), "Cmd": command, "Redirs": redirections}

    def _next(self, *operators: str) -> tuple[str, int, int, str] | None:
        if self.is_done or self._tokens[self._at][3] not in operators:
            return None
        token = self._tokens[self._at]
        self._at += 1
        return token if token[0] == "operator" else None


def _joined(left: Part, operator: str, right: Part | None) -> Part | None:
    if right is None:
        return None
    span = {"Pos": left["Pos"], "End": right["End"]}
    return {**span, "Cmd": {"Type": "BinaryCmd", "Op": operator, "X": left, "Y": right, **span}}


def _span(start: int, end: int) -> Part:
    return {"Pos": {"Offset": start}, "End": {"Offset": end}}
