"""A line that is typed at the bottom of the screen."""

from __future__ import annotations

from collections.abc import Callable

from ssi.model.errors import SsiError
from tui.model.lineedit import LineEdit
from tui.model.parts import Part, Tone
from tui.modes.mode import Answer, Labels


class Prompt:
    """Takes a text.

    Args:
        title: Before the text.
        text: That stands there already.
        check: Told of each change; may refuse it with an error, which is shown.
        keys: What other keys do meanwhile, such as F3 for the next match.
    """

    def __init__(
        self,
        title: str,
        *,
        text: str = "",
        check: Callable[[str], None] | None = None,
        keys: dict[str, Callable[[], None]] | None = None,
        labels: Labels = (("Enter", "Done"), ("Esc", "Cancel")),
    ) -> None:
        self.labels = labels
        self.line = LineEdit.of(text)
        self.complaint = ""
        self._title = title
        self._check = check
        self._keys = keys or {}

    def press(self, key: str) -> Answer | None:
        """Takes a key; the text where it is whole."""
        if key in {"escape", "ctrl+c"}:
            return Answer()
        if key == "enter":
            return None if self.complaint else Answer(self.line.text)
        if key in self._keys:
            self._keys[key]()
            return None
        changed = self.line.press(key)
        if changed is None and (len(key) == 1 or key == "space"):
            changed = self.line.insert(" " if key == "space" else key)
        if changed is not None:
            self._become(changed)
        return None

    def paste(self, text: str) -> None:
        """Takes a text that was pasted."""
        self._become(self.line.insert(text))

    def bottom_line(self) -> list[Part]:
        """The line as it is drawn, with what is wrong with it."""
        text, cursor = self.line.text, self.line.cursor
        parts = [
            Part(f"{self._title} ", Tone.STRONG),
            Part(text[:cursor]),
            Part(text[cursor : cursor + 1] or " ", Tone.CURSOR),
            Part(text[cursor + 1 :]),
        ]
        return [*parts, Part(f"  {self.complaint}", Tone.BAD)] if self.complaint else parts

    def _become(self, line: LineEdit) -> None:
        changed = line.text != self.line.text
        self.line = line
        if changed and self._check is not None:
            try:
                self._check(line.text)
            except SsiError as exc:
                self.complaint = str(exc)
            else:
                self.complaint = ""
