"""Completion, as the editor asks for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from shell.prompt.candidate import Candidate
from shell.prompt.quoting import written
from shell.prompt.request import Request, request
from shell.prompt.scan import Word, scan
from shell.prompt.sources import Sources
from shell.prompt.verbs import Verb
from ssi.view.text import cut, plain

ABOUT_CELLS = 60
"""Of the longest description that is shown."""


class Completions(Completer):
    """What the word at the cursor may become.

    Args:
        sources: Who is asked.
        known: The verbs of ssi.
        is_builtin: Whether a name alone means that verb.
    """

    def __init__(
        self, sources: Sources, known: Mapping[str, Verb], is_builtin: Callable[[str], bool]
    ) -> None:
        self._sources = sources
        self._known = known
        self._is_builtin = is_builtin

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """Nothing: whoever knows more is asked without waiting."""
        return ()

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        """What is known in time, the best first."""
        scanned = scan(document.text_before_cursor)
        asked = request(scanned, self._known, self._is_builtin)
        behind = document.text_after_cursor[:1]
        for candidate in await self._sources.find(asked):
            yield offered(candidate, asked, scanned.current, behind)


def offered(candidate: Candidate, asked: Request, word: Word, behind: str) -> Completion:
    """A candidate as it stands in the menu, and as it is written into the line.

    Args:
        candidate: What the value may become.
        asked: What was asked.
        word: What there is.
        behind: The character after the cursor; a space there is not written twice.
    """
    value = asked.prefix + candidate.value
    if asked.kind == "variables":
        text = word.raw[: len(word.raw) - len(asked.typed)] + candidate.value
    elif asked.kind == "nodes":
        text = value
    else:
        text = written(value, word, is_whole=candidate.is_whole)
    if candidate.is_whole and not behind.isspace():
        text += " "
    shown = candidate.value
    if asked.kind in {"paths", "words", "system"}:
        shown = shown[shown.rstrip("/").rfind("/") + 1 :]
    return Completion(
        text,
        start_position=-len(word.raw),
        display=plain(shown),
        display_meta=cut(plain(candidate.about), ABOUT_CELLS),
    )
