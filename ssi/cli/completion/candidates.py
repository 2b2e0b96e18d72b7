"""``ssi __complete``: what a word may become, as shells ask it while somebody types.

A line for each candidate, a tab, and what it is.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from ssi.client.candidates import candidates


def complete(
    kind: Annotated[str, typer.Argument(help="What kind of word.")],
    word: Annotated[str, typer.Argument(help="What there is of it.")] = "",
) -> None:
    """Show what a word may become."""
    for value, about in asyncio.run(candidates(kind, word)):
        if value.isprintable():
            text = about if about.isprintable() else ""
            sys.stdout.write(f"{value}\t{text}\n")
