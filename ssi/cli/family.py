"""A verb with commands of its own, as ``ssi lab``: typer, without what all verbs have from us."""

from __future__ import annotations

import typer


def family(about: str, *, does_something: bool = False) -> typer.Typer:
    """A verb to which commands are added.

    Completions, help and what is said of errors are ours, and the same for all verbs.

    Args:
        about: What its help says first.
        does_something: Also without a command; else that shows its help.
    """
    return typer.Typer(
        help=about,
        invoke_without_command=does_something,
        no_args_is_help=not does_something,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
