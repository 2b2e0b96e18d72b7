"""What each verb takes, as all shells need to know it: read from the tree of commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ssi.view.listing import Format

NOTHING: Final = "nothing"
"""A value that nobody can guess."""

KINDS: Final[dict[str, str]] = {
    "NODE": "nodes",
    "[NODE]": "nodes",
    "NODES": "nodes",
    "NODES...": "nodes",
    "[NODES]...": "nodes",
    "NODE|auto": "nodes",
    "HOST": "nodes",
    "HOST...": "hosts",
    "[HOST...]": "hosts",
    "JOB": "jobs",
    "JOB...": "jobs",
    "[JOB]...": "jobs",
    "JOB... NODE": "movable",
    "GPID...": "gpids",
    "[-SIGNAL] GPID...": "gpids",
    "[NODE:]NAME...": "checkpoints",
    "SOURCE... TARGET": "places",
    "NODES:PATH...": "places",
    "[NODES:PATH]...": "places",
    "[NODE:]SRC[:DST]": "places",
    "-- CMD [ARGS]...": "command",
    "CMD [ARGS]...": "command",
    "[SCRIPT] [ARGS]...": "files",
    "DIR": "files",
    "[POINT]": "files",
    "POINT": "files",
    "ssh|clustershell|FILE": "files",
    "FORMAT|COLUMNS": "=" + " ".join(each.value for each in Format),
}
"""What stands in the help for a word, and what it may be. After ``=`` come all there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option.

    Attributes:
        takes: The kind of its value; empty for a flag.
    """

    flags: tuple[str, ...]
    about: str
    takes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A verb, or one of a verb's own, which is called ``lab up``.

    Attributes:
        words: Kinds of its words; the last goes on for ever.
        verbs: Its own.
    """

    name: str
    about: str
    options: tuple[Option, ...]
    words: tuple[str, ...]
    verbs: tuple[str, ...] = ()


def verbs_of(tree: Any) -> list[Verb]:  # Any: see ssi.cli.main.Commands
    """All verbs of the tree, that without a name first."""
    names = [name for name in tree.list_commands(None) if not name.startswith("_")]
    found = [
        Verb(name="", about="", options=_options(tree), words=(), verbs=tuple(names)),
    ]
    for name in names:
        found += _with_own(name, tree.get_command(None, name))
    return found


def takes_of(verbs: Sequence[Verb]) -> dict[str, str]:
    """The kind of the value of each option of each verb that takes one."""
    return {
        f"{verb.name} {flag}": option.takes
        for verb in verbs
        for option in verb.options
        if option.takes
        for flag in option.flags
    }


def _with_own(name: str, command: Any) -> list[Verb]:
    own = getattr(command, "commands", {})
    words = [_kind(each) for each in command.params if each.param_type_name == "argument"]
    is_many = any(each.nargs == -1 for each in command.params if each.param_type_name != "option")
    verb = Verb(
        name=name,
        about=_line(command.get_short_help_str(70)),
        options=_options(command),
        words=tuple(words) if is_many or not words else (*words, NOTHING),
        verbs=tuple(own),
    )
    return [verb, *(each for key, sub in own.items() for each in _with_own(f"{name} {key}", sub))]


def _options(command: Any) -> tuple[Option, ...]:
    options = [
        Option(
            flags=(*each.opts, *each.secondary_opts),
            about=_line(each.help or ""),
            takes="" if each.is_flag else _kind(each),
        )
        for each in command.params
        if each.param_type_name == "option" and not each.hidden
    ]
    return (*options, Option(flags=("--help", "-h"), about="Show what it does.", takes=""))


def _kind(parameter: Any) -> str:
    choices = getattr(parameter.type, "choices", None)
    if choices:
        return "=" + " ".join(str(choice) for choice in choices)
    return KINDS.get(parameter.metavar or "", NOTHING)


def _line(text: str) -> str:
    return " ".join(text.split())
