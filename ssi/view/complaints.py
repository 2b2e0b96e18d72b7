"""Errors as lines: what failed and where, why, what to try, and the code that explains it.

Errors of many nodes that differ in nothing but the node become one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from ssi.model.errors import FieldValue, SsiError
from ssi.view.text import plain

_PLACES: Final = ("node", "host")
"""Fields that name where it failed."""


def error_line(error: SsiError) -> str:
    """``what, where and why; try [code]`` in one line, safe on a terminal."""
    text = " ".join(plain(str(error)).split())
    return f"{text} [{error.word}]"


def folded(failures: Mapping[str, SsiError]) -> list[tuple[str, SsiError]]:
    """Node sets with the error that they share, in the order in which they first failed.

    Args:
        failures: By node name.
    """
    if not failures:
        return []
    from ssi.model.nodeset import fold  # 20 ms that a whole answer does not need

    groups: dict[tuple[object, ...], list[str]] = {}
    for node, error in failures.items():
        groups.setdefault(_kind_of(error, node), []).append(node)
    found = []
    for nodes in groups.values():
        errors = [failures[node] for node in nodes]
        name = fold(nodes)
        found.append((name, _named(errors, nodes, name)))
    return found


def folded_lines(failures: Mapping[str, SsiError]) -> list[str]:
    """A line for each such set: it begins with the nodes."""
    lines = []
    for nodes, error in folded(failures):
        line = error_line(error)
        lines.append(line if line.startswith(nodes) else f"{nodes}: {line}")
    return lines


def _kind_of(error: SsiError, node: str) -> tuple[object, ...]:
    """What errors have in common that differ in the node and in times only."""
    values = error.wire_fields().items()
    same = tuple((name, _text(value, node)) for name, value in values if not _varies(name, value))
    return (type(error), *same)


def _varies(name: str, value: FieldValue) -> bool:
    return name in _PLACES or isinstance(value, float)


def _text(value: FieldValue, node: str) -> str:
    return str(value).replace(node, "\0") if isinstance(value, str) else repr(value)


def _named(errors: list[SsiError], nodes: list[str], name: str) -> SsiError:
    """One error in the name of all of them, with the longest of their times."""
    first = errors[0]
    if len(errors) == 1:
        return first
    changes: dict[str, FieldValue] = {}
    for field, value in first.wire_fields().items():
        if field in _PLACES:
            changes[field] = name
        elif isinstance(value, float):
            changes[field] = _longest(getattr(error, field) for error in errors)
        elif isinstance(value, str):
            changes[field] = value.replace(nodes[0], name) if nodes[0] in value else value
    return replace(first, **changes)


def _longest(values: Iterable[float]) -> float:
    return max((value for value in values if not math.isnan(value)), default=math.nan)
