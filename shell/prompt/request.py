"""What has to be asked, and of whom, so that a word can be completed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from shell.prompt.scan import Scanned
from shell.prompt.verbs import Verb, Wanted, wanted

_NODE: Final = re.compile(r"[\w.-]+")
_PLACE: Final = re.compile(r"[\w.,@\[\]-]+:.*", re.DOTALL)

Kind = Literal[
    "nothing", "nodes", "jobs", "offers", "system", "programs", "paths", "variables", "words"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked.

    Attributes:
        kind: Of whom: nodes and jobs of the session, what the system knows, or bash on a node.
        typed: What there is of the value.
        prefix: What stands before the value in the word.
        node: Whose bash; empty for the session's.
        source: Of :mod:`ssi.client.candidates`.
        line: The command, for its own completion.
        offers: All there is, and what each is.
        files_too: It may be a path, too.
    """

    kind: Kind
    typed: str = ""
    prefix: str = ""
    node: str = ""
    source: str = ""
    line: tuple[str, ...] = ()
    offers: Mapping[str, str] = field(default_factory=dict)
    files_too: bool = False


def request(
    scanned: Scanned, known: Mapping[str, Verb], is_builtin: Callable[[str], bool]
) -> Request:
    """What to ask for the word at the cursor.

    Args:
        scanned: Where the cursor stands.
        known: The verbs of ssi.
        is_builtin: Whether a name alone means that verb.
    """
    value = scanned.current.value
    node = scanned.placement if _NODE.fullmatch(scanned.placement) else ""
    variable = scanned.current.variable
    if scanned.is_comment:
        return Request(kind="nothing")
    if variable is not None:
        before = value[: len(value) - len(variable)]
        return Request(kind="variables", typed=variable, prefix=before, node=node)
    if scanned.is_placement:
        opening = "@{" if value.startswith("@{") else "@"
        return Request(kind="nodes", typed=value[len(opening) :], prefix=opening)
    if scanned.is_redirection:
        is_elsewhere = _PLACE.fullmatch(value) is not None
        return Request(kind="system", source="places", typed=value) if is_elsewhere else Request(
            kind="paths", typed=value, node=node
        )  # fmt: skip
    if value.startswith("%") and scanned.words:
        return Request(kind="jobs", typed=value)
    if scanned.is_command:
        kind: Kind = "paths" if "/" in value or value.startswith("~") else "programs"
        return Request(kind=kind, typed=value, node=node)
    return replace(_argument(scanned, known, is_builtin), node=node)


def _argument(
    scanned: Scanned, known: Mapping[str, Verb], is_builtin: Callable[[str], bool]
) -> Request:
    words, value = scanned.words, scanned.current.value
    if words[0] == "ssi":
        answer, begin = wanted(words[1:], value, known), 1
    elif is_builtin(words[0]):
        answer, begin = wanted(words, value, known), 0
    else:
        return Request(kind="words", typed=value, line=(*words, value))
    return _of_verb(answer, words[begin:], value)


def _of_verb(answer: Wanted, words: tuple[str, ...], value: str) -> Request:
    typed = value.removeprefix(answer.prefix)
    match answer.kind:
        case "nothing":
            return Request(kind="nothing")
        case "offers":
            return Request(kind="offers", typed=typed, prefix=answer.prefix, offers=answer.offers)
        case "files":
            return Request(kind="paths", typed=typed, prefix=answer.prefix)
        case "command":
            line = (*words[answer.command_at :], value)
            kind: Kind = "words" if len(line) > 1 else "programs"
            return Request(kind=kind, typed=value, line=line)
        case source:
            is_here = source == "places" and _PLACE.fullmatch(typed) is None
            return Request(
                kind="system", source=source, typed=typed, prefix=answer.prefix, files_too=is_here
            )
