"""What keys mean at the prompt where that differs from the editor's own: Enter, pastes, ^X^E."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import Final

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import (
    emacs_insert_mode,
    emacs_mode,
    has_focus,
    vi_insert_mode,
    vi_navigation_mode,
)
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.validation import ValidationError

from shell.prompt import paste
from shell.prompt.completeness import is_surely_complete
from shell.prompt.external import edited, editors
from shell.prompt.seat import Seat
from shell.prompt.settings import Settings
from shell.prompt.surroundings import Surroundings

PATIENCE_S: Final = 1.0
"""How long it may take to say whether a line is complete; then it is taken for complete."""


@dataclass
class Typing:
    """The line that is typed now.

    Attributes:
        pasted_rows: Of the largest paste into it.
    """

    seat: Seat
    settings: Settings
    surroundings: Surroundings
    pasted_rows: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def begin(self) -> None:
        """Another line begins."""
        self.pasted_rows = 0

    def enter(self, event: KeyPressEvent) -> None:
        """Runs the line, goes on to its next row, or asks whether a paste is to be run."""
        buffer = event.current_buffer
        if buffer.complete_state is not None and buffer.complete_state.current_completion:
            buffer.complete_state = None  # what was chosen from the menu is taken
            return
        if is_surely_complete(buffer.text):
            self._finish(buffer)
            return
        # Keys that came with it wait until it is decided, and so do those that come meanwhile.
        waiting = event.key_processor.input_queue
        later = list(waiting)
        waiting.clear()

        async def decide() -> None:
            with event.app.input.detach():
                is_open = await self._is_open(buffer.text)
            waiting.extend(later)
            if is_open:
                buffer.newline(copy_margin=False)
            else:
                self._finish(buffer)
            event.key_processor.process_keys()
            event.app.invalidate()

        event.app.create_background_task(decide())

    def take_paste(self, event: KeyPressEvent) -> None:
        """Puts a paste into the line; nothing of it runs before Enter."""
        text = paste.cleaned(event.data)
        buffer = event.current_buffer
        if len(text) > paste.LONGEST:
            _say(buffer, f"{len(text)} characters are too many for a line: put them into a file")
            return
        self.pasted_rows = max(self.pasted_rows, paste.rows(text))
        buffer.insert_text(text)

    def edit(self, event: KeyPressEvent) -> None:
        """Opens the person's editor on the line, and runs what that leaves."""
        buffer, text = event.current_buffer, event.current_buffer.text
        commands = editors(self.surroundings.editor, os.environ)

        async def edit() -> None:
            result = await run_in_terminal(lambda: edited(text, commands), in_executor=True)
            if result is None:
                _say(buffer, f"no editor ended well: {', '.join(each[0] for each in commands)}")
                return
            buffer.document = Document(result)
            if result.strip():
                buffer.validate_and_handle()

        event.app.create_background_task(edit())

    async def _is_open(self, text: str) -> bool:
        try:
            return await asyncio.wait_for(self.seat.incomplete(text), PATIENCE_S)
        except TimeoutError:
            return False

    def _finish(self, buffer: Buffer) -> None:
        threshold, count = self.settings.paste_rows, paste.rows(buffer.text)
        if threshold and min(self.pasted_rows, count) >= threshold:
            self.pasted_rows = 0
            _say(buffer, f"{count} lines, pasted: Enter runs them, ^C drops them")
            return
        buffer.validate_and_handle()


def bindings(typing: Typing) -> KeyBindings:
    """The keys; all others are the editor's own, after emacs or vi."""
    keys = KeyBindings()
    at_line = has_focus(DEFAULT_BUFFER)
    for key in (Keys.ControlM, Keys.ControlJ):
        keys.add(key, filter=at_line)(typing.enter)
    keys.add(Keys.BracketedPaste, filter=at_line)(typing.take_paste)
    inserts = at_line & (emacs_insert_mode | vi_insert_mode)
    keys.add(Keys.Any, filter=inserts, save_before=lambda event: not event.is_repeat)(insert)
    keys.add(Keys.ControlX, Keys.ControlE, filter=at_line & emacs_mode)(typing.edit)
    keys.add("v", filter=at_line & vi_navigation_mode)(typing.edit)

    @keys.add(Keys.Escape, Keys.ControlM, filter=at_line & emacs_mode)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.newline(copy_margin=False)

    return keys


def insert(event: KeyPressEvent) -> None:
    """Puts a letter into the line, and all that came with it, which is ten times as fast.

    That is a paste into a terminal that does not say so, and what was typed ahead.
    """
    letters = [event.data * event.arg]
    waiting = event.key_processor.input_queue
    while waiting and len(waiting[0].key) == 1 and waiting[0].key.isprintable():
        letters.append(waiting.popleft().data)
    event.current_buffer.insert_text("".join(letters))


def _say(buffer: Buffer, text: str) -> None:
    """Below the line, until something is typed."""
    buffer.validation_error = ValidationError(cursor_position=buffer.cursor_position, message=text)
