"""``ssi top``: htop for the whole system."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from importlib import metadata
from typing import Annotated, Any, Final, cast

import typer

from ssi.cli.screen import width_cells
from ssi.model.errors import UsageError

FACE: Final = "tui"
"""Its name among the faces that are installed."""

ONCE_WIDTH: Final = 160
"""Of a frame that goes to a file or a pipe."""


def top(
    once: Annotated[
        bool, typer.Option("--once", help="One frame as text, for scripts; needs no terminal.")
    ] = False,
    readonly: Annotated[
        bool, typer.Option("--readonly", help="Only look: whatever would change is refused.")
    ] = False,
    every_s: Annotated[
        float | None, typer.Option("--every", min=0.2, metavar="SECONDS", help="Between two looks.")
    ] = None,
) -> None:
    """Show the nodes and all their processes, and act on them, with the keys of htop."""
    if not once and not (os.isatty(0) and os.isatty(1)):
        raise UsageError(text="ssi top needs a terminal", hint="ssi top --once needs none")
    show = _face()
    width = width_cells() or ONCE_WIDTH
    raise typer.Exit(
        asyncio.run(show(every_s=every_s or 0.0, readonly=readonly, once=once, width_cells=width))
    )


def _face() -> Callable[..., Coroutine[Any, Any, int]]:  # Any: what it is sent
    """The program that shows it; found by its name, for the command line imports no other face.

    Raises:
        UsageError: It is not part of this installation.
    """
    for entry in metadata.entry_points(group="ssi.faces"):
        if entry.name == FACE:
            return cast("Callable[..., Coroutine[Any, Any, int]]", entry.load())
    raise UsageError(text="ssi top is not part of this installation", hint="install ssi again")
