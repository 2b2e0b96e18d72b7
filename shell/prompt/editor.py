"""The line that is typed: prompt-toolkit, with all that the session knows around it."""

from __future__ import annotations

import asyncio
import locale
import os
from collections.abc import AsyncGenerator, Callable, Iterable
from datetime import datetime
from typing import Final

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggest, Suggestion
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.cursor_shapes import ModalCursorShapeConfig
from prompt_toolkit.document import Document
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import History
from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout.controls import BufferControl
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.output import ColorDepth, Output
from prompt_toolkit.styles import Style

from shell.prompt import appearance
from shell.prompt.appearance import Facts, Piece
from shell.prompt.completion import Completions
from shell.prompt.keys import Typing, bindings
from shell.prompt.look import STYLES, classes
from shell.prompt.marks import LINE_BEGINS
from shell.prompt.recall import Recall
from shell.prompt.seat import Seat
from shell.prompt.settings import Settings
from shell.prompt.surroundings import Surroundings

CHUNK: Final = 500
"""Lines of the history that are given to the editor at once."""


class Editor:
    """Reads one line after another.

    Args:
        has_marks: The terminal can be told where prompts begin and end.
        given: Input and output other than the terminal.
    """

    def __init__(
        self,
        seat: Seat,
        settings: Settings,
        surroundings: Surroundings,
        recall: Recall,
        completions: Completions,
        *,
        has_marks: bool,
        given: tuple[Input, Output] | None = None,
    ) -> None:
        self._seat = seat
        self._settings = settings
        self._surroundings = surroundings
        self._has_marks = has_marks
        self._typing = Typing(seat=seat, settings=settings, surroundings=surroundings)
        self._facts: Callable[[], Facts] = lambda: Facts(node="", cwd="", home="")
        self._clock = ""
        self._session: PromptSession[str] = PromptSession(
            message=self._message,
            rprompt=self._right,
            prompt_continuation=self._continuation,
            completer=completions,
            complete_while_typing=False,
            history=_Recalled(recall),
            enable_history_search=True,
            search_ignore_case=True,
            auto_suggest=_Suggestions(recall, seat) if settings.suggestions else None,
            key_bindings=bindings(self._typing),
            style=Style.from_dict(dict(STYLES)),
            include_default_pygments_style=False,
            color_depth=colour_depth(os.environ.get("NO_COLOR", "")),
            cursor=ModalCursorShapeConfig() if settings.editing != "emacs" else None,
            reserve_space_for_menu=10,
            input=given[0] if given else None,
            output=given[1] if given else None,
        )

    async def read(self, facts: Callable[[], Facts], typed: bytes = b"") -> str:
        """The next line, which may have several rows.

        Args:
            facts: What the prompt is made of, asked again whenever it is drawn.
            typed: Keys that were pressed already.

        Raises:
            KeyboardInterrupt: ^C was typed: it is dropped.
            EOFError: ^D was typed on an empty line, or the terminal is gone.
        """
        self._facts = facts
        self._clock = f"{datetime.now().astimezone():%H:%M}" if self._settings.clock else ""
        self._typing.begin()
        self._session.editing_mode = self._editing_mode()
        pasted = get_typeahead(self._session.input)  # behind them; see :meth:`typed_behind`
        store_typeahead(self._session.input, [*pressed(typed), *pasted])
        return await self._session.prompt_async(set_exception_handler=False, handle_sigint=False)

    def typed_behind(self) -> bytes:
        """Keys that came at once with the Enter that ended the line, given once.

        What was pasted stays here, for the next line: it is never run by itself.
        """
        rest = get_typeahead(self._session.input)
        count = next(
            (at for at, press in enumerate(rest) if press.key is Keys.BracketedPaste), len(rest)
        )
        store_typeahead(self._session.input, rest[count:])
        return "".join(press.data for press in rest[:count]).encode("utf-8", "surrogateescape")

    def colour_by(self, lexer: Lexer) -> None:
        """From now on the line is coloured."""
        # What the session itself is given stays behind a lexer whose colours never change.
        for control in self._session.app.layout.find_all_controls():
            if (
                isinstance(control, BufferControl)
                and control.buffer is self._session.default_buffer
            ):
                control.lexer = lexer

    def redraw(self) -> None:
        """Something that it shows has changed."""
        self._session.editing_mode = self._editing_mode()
        self._session.app.invalidate()

    @property
    def output(self) -> Output:
        """Where it draws."""
        return self._session.app.output

    def _editing_mode(self) -> EditingMode:
        chosen = self._settings.editing
        mode = self._surroundings.mode if chosen == "bash" else chosen
        return EditingMode.VI if mode == "vi" else EditingMode.EMACS

    def _message(self) -> StyleAndTextTuples:
        pieces = _fragments(appearance.prompt(self._facts(), self._columns()))
        if self._has_marks:
            pieces.append(("[ZeroWidthEscape]", LINE_BEGINS))
        return pieces

    def _right(self) -> StyleAndTextTuples:
        return _fragments(appearance.right(self._facts(), self._clock))

    def _continuation(self, width: int, number: int, wraps: int) -> StyleAndTextTuples:
        return _fragments(appearance.continuation(width)) if not wraps else []

    def _columns(self) -> int:
        return self._session.app.output.get_size().columns


class _Recalled(History):
    """The lines that were run, as the editor goes through them. It does not keep them."""

    def __init__(self, recall: Recall) -> None:
        super().__init__()
        self._recall = recall

    async def load(self) -> AsyncGenerator[str, None]:
        for index, line in enumerate(list(self._recall.lines())):
            if index % CHUNK == CHUNK - 1:
                await asyncio.sleep(0)
            yield line

    def load_history_strings(self) -> Iterable[str]:
        return self._recall.lines()

    def append_string(self, string: str) -> None:
        """Nothing: what is run is learnt when it is run."""

    def store_string(self, string: str) -> None:
        """Nothing: see above."""


class _Suggestions(AutoSuggest):
    """What came next when a line began so."""

    def __init__(self, recall: Recall, seat: Seat) -> None:
        self._recall = recall
        self._seat = seat

    def get_suggestion(self, buffer: Buffer, document: Document) -> Suggestion | None:
        where = self._seat.where
        rest = self._recall.suggest(document.text, node=where.node, cwd=where.cwd)
        return Suggestion(rest) if rest and "\n" not in rest else None


def pressed(typed: bytes) -> list[KeyPress]:
    """The keys of what a terminal sent; Enter also where that has become a newline."""
    found: list[KeyPress] = []
    parser = Vt100Parser(found.append)
    parser.feed(typed.decode("utf-8", "surrogateescape").replace("\n", "\r"))
    parser.flush()
    return found


def colour_depth(no_color: str) -> ColorDepth | None:
    """None where the terminal decides. ``NO_COLOR`` leaves bold and underline (no-color.org)."""
    return ColorDepth.DEPTH_1_BIT if no_color else None


def is_ascii() -> bool:
    """Whether the terminal shows nothing but ASCII, as the locale says."""
    return locale.getpreferredencoding(do_setlocale=False).lower() not in {"utf-8", "utf8"}


def _fragments(pieces: list[Piece]) -> StyleAndTextTuples:
    return [(classes(style), text) for style, text in pieces]
