"""``ssi completion``: the completions of a shell, shown or put where the shell finds them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from ssi.cli.completion import bash, fish, zsh
from ssi.cli.completion.words import Verb, verbs_of
from ssi.cli.family import family
from ssi.model.errors import UsageError

app = family("Completions for bash, zsh and fish; `install` puts them where your shell looks.")


class Shell(StrEnum):
    """A shell that completes."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


RENDER: Final[dict[Shell, Callable[[Sequence[Verb]], str]]] = {
    Shell.BASH: bash.render,
    Shell.ZSH: zsh.render,
    Shell.FISH: fish.render,
}


@app.command(name="show")
def show(shell: Annotated[Shell, typer.Argument(help="For which shell.")]) -> None:
    """Print the completions for a shell, to be sourced or put somewhere."""
    sys.stdout.write(script(shell))


@app.command(name="install")
def install(
    shell: Annotated[
        Shell | None, typer.Argument(help="For which shell; else that of your login.")
    ] = None,
) -> None:
    """Write the completions where your shell finds them, and say where; twice is harmless."""
    chosen = shell or _own_shell()
    path = place_of(chosen)
    text = script(chosen).encode()
    try:
        is_there = path.read_bytes() == text
    except OSError:
        is_there = False
    if not is_there:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_bytes(text)
        temporary.replace(path)
    print(f"{path} {'was up to date' if is_there else 'is written'}")
    if chosen is Shell.ZSH:
        print(f"before compinit in ~/.zshrc, once: fpath=({path.parent} $fpath)")
    print(f"new shells of {chosen.value} complete ssi")


def script(shell: Shell) -> str:
    """The completions of this installation."""
    from ssi.cli.main import tree

    return RENDER[shell](verbs_of(tree()))


def place_of(shell: Shell) -> Path:
    """Where a user's shell looks for completions of ``ssi``."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    places = {
        Shell.BASH: data / "bash-completion/completions/ssi",
        Shell.ZSH: data / "zsh/site-functions/_ssi",
        Shell.FISH: config / "fish/completions/ssi.fish",
    }
    return places[shell]


def _own_shell() -> Shell:
    name = Path(os.environ.get("SHELL", "")).name
    try:
        return Shell(name)
    except ValueError as exc:
        raise UsageError(
            text=f"there are no completions for {name or 'an unknown shell'}",
            hint="name one: bash, zsh or fish",
        ) from exc
