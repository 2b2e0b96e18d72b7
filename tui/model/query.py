"""What is typed as a filter: ``node=n2 cpu>50 user=ada !zsh``."""

from __future__ import annotations

import operator
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final, TypeAlias

from ssi.model.errors import SsiError, UsageError
from ssi.model.nodeset import expand
from ssi.model.process import ProcessRow
from ssi.view.columns import command_line, command_text
from tui.model.entry import Entry

Test: TypeAlias = Callable[[Entry], bool]

_NUMBERS: Final[dict[str, Callable[[Entry], float]]] = {
    "cpu": lambda entry: entry.cpu_percent,
    "mem": lambda entry: entry.memory_percent,
    "rss": lambda entry: entry.row.rss_bytes,
    "res": lambda entry: entry.row.rss_bytes,
    "virt": lambda entry: entry.row.vsize_bytes,
    "ni": lambda entry: entry.row.nice,
    "nice": lambda entry: entry.row.nice,
    "threads": lambda entry: entry.row.threads,
    "time": lambda entry: entry.row.cpu_s,
    "gpu": lambda entry: entry.gpu_percent,
    "gpumem": lambda entry: entry.gpu_bytes,
    "gpid": lambda entry: entry.row.gpid,
    "pid": lambda entry: entry.row.pid,
    "job": lambda entry: entry.row.job,
}
_TEXTS: Final[dict[str, Callable[[Entry], str]]] = {
    "user": lambda entry: entry.row.user,
    "s": lambda entry: entry.row.state,
    "state": lambda entry: entry.row.state,
    "tty": lambda entry: entry.row.tty,
    "name": lambda entry: entry.row.name,
    "command": lambda entry: command_text(entry.row),
}
_COMPARISONS: Final = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
_TERM: Final = re.compile(r"(!?)([a-z]+)(>=|<=|>|<|=)(.+)", re.DOTALL)
_NUMBER: Final = re.compile(r"(-?\d+(?:\.\d+)?)([kmgt]?)", re.IGNORECASE)
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A filter that was understood.

    Attributes:
        text: As it was typed.
        tests: All of which a process must pass.
    """

    text: str = ""
    tests: tuple[Test, ...] = ()

    def takes(self, entry: Entry) -> bool:
        """Whether the process is shown."""
        return all(test(entry) for test in self.tests)


def parse_query(text: str) -> Query:
    """The filter that a person typed.

    Words stand for processes with them in their command line, ``a|b`` for either of two; ``!``
    turns a word round; ``key=value``, ``key>value`` and their like look at one column.

    Raises:
        UsageError: It cannot be understood.
    """
    try:
        words = shlex.split(text)
    except ValueError as exc:
        raise UsageError(text=f"the filter cannot be read: {exc}", hint="close the quote") from exc
    return Query(text=text, tests=tuple(_test(word) for word in words))


def _test(word: str) -> Test:
    term = _TERM.fullmatch(word)
    if term is None:
        return _turned(_contains(word.removeprefix("!")), turned=word.startswith("!"))
    turned, key, comparison, value = term.groups()
    return _turned(_compares(key, comparison, value), turned=bool(turned))


def _compares(key: str, comparison: str, value: str) -> Test:
    if key == "node" and comparison == "=":
        names = _nodes(value)
        return lambda entry: any(fnmatchcase(entry.node, name) for name in names)
    if key in _NUMBERS:
        number, take, compare = _number(key, value), _NUMBERS[key], _COMPARISONS[comparison]
        return lambda entry: bool(compare(take(entry), number))
    if key in _TEXTS and comparison == "=":
        patterns, read = value.split(","), _TEXTS[key]
        return lambda entry: any(fnmatchcase(read(entry), pattern) for pattern in patterns)
    known = ", ".join(["node", *_TEXTS, *_NUMBERS])
    raise UsageError(text=f"there is nothing called {key!r} to filter by", hint=f"keys: {known}")


def _nodes(value: str) -> list[str]:
    """Names or patterns of nodes."""
    if not re.search(r"[\[,]|\.\.", value):
        return [value]
    try:
        return [str(name) for name in expand(value)]
    except SsiError as exc:
        raise UsageError(text=exc.what(), hint="nodes are named as n2, n[1-3] or n1,n2") from exc


def _number(key: str, value: str) -> float:
    found = _NUMBER.fullmatch(value)
    if found is None:
        raise UsageError(text=f"{value!r} is no number for {key}", hint="write cpu>50, rss>1.5G")
    return float(found[1]) * _UNITS[found[2].lower()]


def _contains(word: str) -> Test:
    parts = [part.casefold() for part in word.split("|") if part]
    if not parts:
        return lambda _entry: True
    return lambda entry: any(part in _haystack(entry.row) for part in parts)


def _haystack(row: ProcessRow) -> str:
    """What words are looked for in."""
    return _folded(row.name, row.command, "Z" if row.state == "Z" else "")


@lru_cache(maxsize=16_384)
def _folded(name: str, command: tuple[str, ...], state: str) -> str:
    """Kept, for it is asked for once a second of each process, and again with every key typed."""
    return f"{name} {command_line(name, command, state)}".casefold()


def _turned(test: Test, *, turned: bool) -> Test:
    return (lambda entry: not test(entry)) if turned else test
