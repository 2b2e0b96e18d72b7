"""Options that are the same wherever they stand, and how a command gets them.

A command is a function with the options that are its own. What it shares with others is added here
to the signature that typer reads, so that it is written, explained and completed alike everywhere.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, get_type_hints

import typer

from ssi.cli.settings import Colour, add_settings

NodesOption = Annotated[
    str | None,
    typer.Option(
        "--nodes", "--node", "-n", metavar="NODES", help="Only on these: n1..3, n1,n4, @group."
    ),
]
NodesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[NODES]...", help="Only these nodes: n1..3.")
]

Keywords = dict[str, Any]  # Any: what typer read, of whatever type the options have


def set_of(words: Sequence[str] | None) -> str | None:
    """The node set that several words on the command line stand for together; None for all."""
    return ",".join(words) if words else None


def _settings_options(
    *,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No notes and no progress.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
    colour: Annotated[
        Colour | None, typer.Option("--color", help="Whether to colour; else as it suits.")
    ] = None,
    timeout_s: Annotated[
        float | None,
        typer.Option("--timeout", min=0.05, metavar="SECONDS", help="How long to wait: then 124."),
    ] = None,
) -> None:
    add_settings(quiet=quiet, debug=debug, colour=colour, timeout_s=timeout_s)


def with_settings(command: Callable[..., None], *, is_remote: bool = True) -> Callable[..., None]:
    """The command with the options that every one takes.

    Args:
        command: Any.
        is_remote: Whether it waits for anybody, so that ``--timeout`` makes sense.
    """
    options = [each for each in SETTINGS if is_remote or each.name != "timeout_s"]

    def take(values: Keywords) -> None:
        given = {each.name: values.pop(each.name) for each in options}
        _settings_options(**{"timeout_s": None, **given})

    return extended(command, options, take)


def extended(
    command: Callable[..., None],
    options: Sequence[inspect.Parameter],
    take: Callable[[Keywords], None],
    *,
    leave_out: frozenset[str] = frozenset(),
) -> Callable[..., None]:
    """A command that typer sees with more options than the function has.

    Args:
        command: The function.
        options: To be added, at the end.
        take: Is given all values before the command runs, and takes those of these options out.
        leave_out: Parameters that ``take`` puts in instead of the user.
    """
    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in parameters_of(command).items()
        if name not in leave_out
    ]
    parameters += options

    def wrapper(**values: Any) -> None:  # Any: see Keywords
        take(values)
        command(**values)

    wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
    wrapper.__module__ = command.__module__
    wrapper.__annotations__ = {each.name: each.annotation for each in parameters}
    signature: Final = inspect.Signature(parameters)
    wrapper.__signature__ = signature  # type: ignore[attr-defined]
    return wrapper


def parameters_of(function: Callable[..., None]) -> dict[str, inspect.Parameter]:
    """The parameters of a function, their types as objects and no longer as text."""
    signature = inspect.signature(function)
    hints = get_type_hints(function, include_extras=True)
    return {
        name: parameter.replace(annotation=hints.get(name, parameter.annotation))
        for name, parameter in signature.parameters.items()
    }


SETTINGS: Final = tuple(parameters_of(_settings_options).values())
"""The options of every verb, as typer reads them."""
