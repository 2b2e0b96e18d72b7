"""A line that somebody types. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class LineEdit:
    """The text so far, and where the cursor stands in it."""

    text: str = ""
    cursor: int = 0

    @classmethod
    def of(cls, text: str) -> LineEdit:
        """A line with the cursor at its end."""
        return cls(text=text, cursor=len(text))

    def insert(self, text: str) -> LineEdit:
        """With more at the cursor; what cannot be seen is left out."""
        seen = "".join(character for character in text if character.isprintable())
        return LineEdit(
            text=self.text[: self.cursor] + seen + self.text[self.cursor :],
            cursor=self.cursor + len(seen),
        )

    def press(self, key: str) -> LineEdit | None:
        """After a key that has a name; None where it means nothing to a line."""
        places = {
            "left": self.cursor - 1,
            "right": self.cursor + 1,
            "home": 0,
            "ctrl+a": 0,
            "end": len(self.text),
            "ctrl+e": len(self.text),
        }
        if key in places:
            return replace(self, cursor=max(0, min(places[key], len(self.text))))
        if key in {"backspace", "delete"}:
            return self._without(self.cursor - (key == "backspace"))
        if key == "ctrl+u":
            return LineEdit(text=self.text[self.cursor :])
        return self._without_word() if key == "ctrl+w" else None

    def _without_word(self) -> LineEdit:
        head, space, _word = self.text[: self.cursor].rstrip().rpartition(" ")
        before = head + space
        return LineEdit(text=before + self.text[self.cursor :], cursor=len(before))

    def _without(self, index: int) -> LineEdit:
        if not 0 <= index < len(self.text):
            return self
        return LineEdit(text=self.text[:index] + self.text[index + 1 :], cursor=index)
