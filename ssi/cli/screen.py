"""Where output goes: how wide the terminal is, and looks that are drawn again and again."""

from __future__ import annotations

import os
import sys
from asyncio import sleep
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ssi.view.text import plain

DEFAULT_EVERY_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look at the system gave.

    Attributes:
        text: For stdout; lines, each ended.
        notices: For stderr, a line each.
        exit_code: With which a single look ends.
    """

    text: str
    notices: Sequence[str] = ()
    exit_code: int = 0


def width_cells() -> int | None:
    """The width to draw for: None, all that it takes, where stdout is no terminal, as for ps(1).

    ``COLUMNS`` overrides it, on a terminal or not.
    """
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns) > 0:
        return int(columns)
    size = _terminal_size()
    return size.columns if size is not None else None


def show(look: Look) -> int:
    """Writes a look, and gives its exit code."""
    sys.stdout.write(look.text)
    sys.stdout.flush()
    _write_notices(look.notices)
    return look.exit_code


async def watch(take: Callable[[], Awaitable[Look]], every_s: float, *, draws: bool = True) -> int:
    """Looks again and again until interrupted.

    A terminal is drawn over in place where ``draws``; elsewhere one look follows the other, and
    notices are written only when they differ from those before.
    """
    noted: Sequence[str] = ()
    while True:
        look = await take()
        size = _terminal_size() if draws else None
        if size is not None:
            sys.stdout.write(drawn_over(look, size.lines))
            sys.stdout.flush()
        else:
            show(Look(text=look.text, notices=() if look.notices == noted else look.notices))
            noted = look.notices
        await sleep(every_s)


def drawn_over(look: Look, rows: int) -> str:
    """The look for the whole of a terminal of so many rows, notices first, with no flicker."""
    lines = [*map(plain, look.notices), *look.text.splitlines()][: max(rows - 1, 1)]
    # Home, then each line with the rest of it erased, then all below: nothing is blank in between.
    return "\x1b[H" + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J"


def _write_notices(notices: Sequence[str]) -> None:
    for notice in notices:
        sys.stderr.write(f"{plain(notice)}\n")
    sys.stderr.flush()


def _terminal_size() -> os.terminal_size | None:
    try:
        if sys.stdout.isatty():
            return os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):  # a terminal that hung up, or a stdout that was replaced
        return None
    return None
