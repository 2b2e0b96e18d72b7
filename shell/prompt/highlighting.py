"""Colours, as the editor asks for them."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.lexers import Lexer

from shell.prompt.inquiry import Inquiry
from shell.prompt.knowledge import Knowledge
from shell.prompt.look import classes
from shell.prompt.painting import painted
from shell.prompt.seat import Seat
from shell.prompt.spans import spans


class Highlighter(Lexer):
    """Colours the line that is typed, and has what it does not know asked for."""

    def __init__(self, seat: Seat, knowledge: Knowledge, inquiry: Inquiry) -> None:
        self._seat = seat
        self._knowledge = knowledge
        self._inquiry = inquiry

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        """The rows of the line in pieces, by number."""
        where = self._seat.where
        rows = painted(
            document.text,
            spans(document.text),
            self._knowledge,
            lambda place: where.node if place == "" else place,
            where.cwd,
        )
        self._inquiry.wake()

        def row(number: int) -> StyleAndTextTuples:
            if number >= len(rows):
                return []
            return [(classes(style), text) for style, text in rows[number]]

        return row

    def invalidation_hash(self) -> Hashable:
        """Another when what is known has changed."""
        return self._knowledge.generation
