"""What can go wrong, as types: each error owns its wire word, its exit code and its sentence.

An error crosses the wire as its word and its fields, never as text alone, so that a face can fold
equal failures of many nodes and a script can match on the word. The table in ``docs/errors.md`` is
generated from these classes and compared with them in a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, TypeAlias

FieldValue: TypeAlias = str | int | float | bool | list[str]
"""What a field of an error may hold, so that every error can cross the wire."""


@dataclass(eq=False, kw_only=True)
class SsiError(Exception):
    """The root of all errors that ssi shows to a person.

    A subclass declares its ``word``, its ``exit_code`` (see ``docs/errors.md``) and its typed
    fields, and says in :meth:`what` what failed and where, and in :meth:`advice` what to do next.
    """

    word: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    _by_word: ClassVar[dict[str, type[SsiError]]] = {}

    def __init_subclass__(cls) -> None:
        """Registers the subclass under its word; two classes with one word are a bug."""
        super().__init_subclass__()
        word = cls.__dict__.get("word")
        assert word is not None, f"{cls.__name__} owns no word"
        known = SsiError._by_word.get(word)
        assert known is None or known.__qualname__ == cls.__qualname__, f"two errors own {word!r}"
        SsiError._by_word[word] = cls

    def what(self) -> str:
        """What failed, and on which node: one line, no full stop."""
        return "something failed"

    def advice(self) -> str:
        """What the user can do next: one line; empty where there is nothing to do."""
        return ""

    def __str__(self) -> str:
        advice = self.advice()
        return f"{self.what()}; {advice}" if advice else self.what()

    def wire_fields(self) -> dict[str, FieldValue]:
        """The typed fields by name, as they cross the wire."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @staticmethod
    def from_wire(word: str, values: Mapping[str, FieldValue]) -> SsiError:
        """The error that a peer sent; one of a newer peer becomes :class:`RemoteError`."""
        kind = SsiError._by_word.get(word)
        if kind is not None:
            names = {field.name for field in fields(kind)}
            try:
                return kind(**{name: value for name, value in values.items() if name in names})
            except TypeError:  # an older or newer peer left out a field that we need
                pass
        return RemoteError(remote_word=word, remote_fields=dict(values))

    @staticmethod
    def classes() -> dict[str, type[SsiError]]:
        """Every error class known so far, by word."""
        return dict(SsiError._by_word)


@dataclass(eq=False, kw_only=True)
class RemoteError(SsiError):
    """A peer failed in a way that has no class here: it is newer, or it broke."""

    word = "remote-error"
    remote_word: str
    remote_fields: dict[str, FieldValue]

    def what(self) -> str:
        text = ", ".join(f"{name}={value}" for name, value in self.remote_fields.items())
        return f"a node answered {self.remote_word!r}: {text}"

    def advice(self) -> str:
        return "its agent.log tells more; `ssi nodes` shows nodes of another version"


@dataclass(eq=False, kw_only=True)
class UsageError(SsiError):
    """The command line cannot be understood."""

    word = "usage"
    exit_code = 2
    text: str
    hint: str = ""

    def what(self) -> str:
        return self.text

    def advice(self) -> str:
        return self.hint


def first_error(group: BaseExceptionGroup[BaseException]) -> SsiError | None:
    """The first error of ours in a group of tasks that failed; None where all are of others."""
    for error in group.exceptions:
        found = first_error(error) if isinstance(error, BaseExceptionGroup) else error
        if isinstance(found, SsiError):
            return found
    return None
