"""What is known of the words of a line: whether there is such a command, or such a path."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

MOST: Final = 2000
"""Answers that are remembered."""

AT_ONCE: Final = 50
"""Words that are asked for in one question."""

LONGEST: Final = 1000
"""Characters of the longest word that is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whether a word is a command, or a path, on a node."""

    kind: Literal["command", "path"]
    value: str
    node: str
    cwd: str


class Knowledge:
    """Answers, and questions that are open.

    An answer that has become old is still shown until the new one is there, so that colours do
    not flicker.

    Attributes:
        generation: Another after each change of what is known.
    """

    def __init__(self, is_builtin: Callable[[str], bool] = lambda _: False) -> None:
        self.generation = 0
        self._is_builtin = is_builtin
        self._answers: dict[Question, bool] = {}
        self._old: set[Question] = set()
        self._open: dict[Question, None] = {}

    def whether(self, question: Question) -> bool | None:
        """The answer; None as long as there is none. What has to be asked becomes open."""
        if question.kind == "command" and self._is_builtin(question.value):
            return True
        answer = self._answers.get(question)
        if (answer is None or question in self._old) and len(question.value) <= LONGEST:
            self._open[question] = None
        return answer

    def take_open(self) -> list[Question]:
        """Questions for one node, the newest first; they are open no more."""
        if not self._open:
            return []
        node = next(reversed(self._open)).node
        chosen = [question for question in reversed(self._open) if question.node == node]
        for question in chosen:  # too many: what is still shown is asked again when it is drawn
            del self._open[question]
        return chosen[:AT_ONCE]

    def learn(self, questions: Iterable[Question], answers: Iterable[bool]) -> None:
        """Adds answers, in the order of the questions; it may be fewer of them."""
        for question, answer in zip(questions, answers, strict=False):
            if self._answers.pop(question, None) is not answer:
                self.generation += 1
            self._answers[question] = answer
            self._old.discard(question)
        while len(self._answers) > MOST:
            del self._answers[next(iter(self._answers))]

    def grow_old(self) -> None:
        """A line was run, which may have changed everything."""
        self._old = set(self._answers)
        self.generation += 1
