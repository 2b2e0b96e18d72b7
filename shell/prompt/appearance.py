"""What the prompt says, as pieces of text with the names of their styles."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ssi.view.text import cut, plain, width

SLOW_S: Final = 2.0
"""From so long on, it is said how long a line took."""

LONGEST: Final = 255
"""Cells of the longest name that is looked at."""

Piece = tuple[str, str]
"""The name of a style, and a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a prompt is made of.

    Attributes:
        problem: The state of the node where it is not well; empty where it is.
        branch: Of the git repository around the directory; empty without one.
        status: Of the last line; 0 also before the first.
        duration_s: Of the last line.
        is_root: The person is root there.
        is_ascii: The terminal shows nothing else.
    """

    node: str
    cwd: str
    home: str
    problem: str = ""
    branch: str = ""
    jobs: int = 0
    status: int = 0
    duration_s: float = 0.0
    is_root: bool = False
    is_ascii: bool = False


def prompt(facts: Facts, columns: int) -> list[Piece]:
    """The prompt: node, directory, branch, jobs, how the last line ended, and the sign.

    It leaves a half of the row to the line: directories are shortened, then left out from the left.
    """
    node = _clean(facts.node)
    cells = max(columns // 2, 20)
    others: list[Piece] = []
    if facts.branch:
        others.append(("branch", cut(_clean(facts.branch), cells // 2)))
    if facts.jobs:
        others.append(("jobs", f"{facts.jobs} job{'s' if facts.jobs > 1 else ''}"))
    if facts.status:
        others.append(("failed", _ending(facts.status, is_ascii=facts.is_ascii)))
    if facts.duration_s >= SLOW_S:
        others.append(("duration", spent(facts.duration_s)))
    taken = width(node) + 4 + sum(width(text) + 1 for _, text in others)
    place = shortened(home_as_tilde(facts.cwd, facts.home), max(cells - taken, 12))
    pieces: list[Piece] = [("problem" if facts.problem else "node", node), ("", " ")]
    pieces.append(("cwd", place))
    for style, text in others:
        pieces += [("", " "), (style, text)]
    sign = "#" if facts.is_root else "$"
    return [*pieces, ("", " "), ("failed-sign" if facts.status else "sign", sign), ("", " ")]


def right(facts: Facts, clock: str) -> list[Piece]:
    """What stands at the right: the time, or what is wrong with the node."""
    if facts.problem:
        return [("problem", f"{_clean(facts.node)} is {_clean(facts.problem)}")]
    return [("clock", clock)] if clock else []


def continuation(columns: int) -> list[Piece]:
    """What stands before further rows of a line, as wide as the prompt above."""
    return [("continuation", f"{'>':>{max(columns - 1, 1)}} ")]


def title_at_prompt(facts: Facts) -> str:
    """The terminal's title while a line is typed."""
    return f"{facts.node}:{home_as_tilde(facts.cwd, facts.home)}"


def title_at_work(node: str, line: str) -> str:
    """The terminal's title while a line runs."""
    return f"{node}: {line.strip().partition(chr(10))[0]}"


def home_as_tilde(cwd: str, home: str) -> str:
    """The directory, cleaned, with ``~`` for the person's home there."""
    home = home.rstrip("/")
    if home and cwd == home:
        return "~"
    if home and cwd.startswith(f"{home}/"):
        return _clean(f"~{cwd[len(home) :]}")
    return _clean(cwd)


def shortened(path: str, cells: int) -> str:
    """The path in so many cells: directories become their first letters, from the left."""
    if width(path) <= cells:
        return path
    parts = path.split("/")
    for index in range(len(parts) - 1):
        initial = 2 if parts[index].startswith(".") else 1
        parts[index] = parts[index][:initial]
        if width("/".join(parts)) <= cells:
            return "/".join(parts)
    last = parts[-1]
    return f"{cut(last, max(cells - 3, 1))}..." if width(last) > cells else last


def spent(duration_s: float) -> str:
    """How long something took, as people say it."""
    if duration_s < 60:
        return f"{duration_s:.1f}s"
    minutes, seconds = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{seconds:02}s"


def signal_of(status: int) -> str:
    """The name of the signal behind an exit status, without SIG; empty where none is."""
    if not 128 < status < 128 + 65:
        return ""
    try:
        return signal.Signals(status - 128).name.removeprefix("SIG")
    except ValueError:
        return ""


def plain_text(pieces: Sequence[Piece]) -> str:
    """The pieces without their styles."""
    return "".join(text for _, text in pieces)


def _ending(status: int, *, is_ascii: bool) -> str:
    name = signal_of(status)
    return f"{'x' if is_ascii else '✗'} {status}{f' ({name})' if name else ''}"


def _clean(text: str) -> str:
    return plain(text[:LONGEST])
