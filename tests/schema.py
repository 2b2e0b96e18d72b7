"""Compares what commands print with the schema that they promise."""

from __future__ import annotations

from typing import Any

from ssi.view.kinds import KINDS

_SCALARS: dict[str, type | tuple[type, ...]] = {"str": str, "int": int, "float": (int, float)}


def breaches(objects: Any, kind: str) -> list[str]:
    """What in these objects the schema does not allow or know; empty where all is well.

    Args:
        objects: As they came out of a parser.
        kind: A name of :data:`ssi.view.schema.KINDS`.
    """
    if not isinstance(objects, list):
        return [f"{kind}: no list"]
    return [breach for each in objects for breach in _object(each, kind)]


def _object(value: Any, kind: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{kind}: {value!r} is no object"]
    names = {each.name: each for each in KINDS[kind].names}
    found = [f"{kind}: {name} is in no schema" for name in value if name not in names]
    found += [f"{kind}: {n} is missing" for n, e in names.items() if e.always and n not in value]
    for name, part in value.items():
        if name in names and not _fits(part, names[name].type):
            found.append(f"{kind}: {name} is {part!r}, no {names[name].type}")
    return found


def _fits(value: Any, text: str) -> bool:
    if text.endswith("?"):
        return value is None or _fits(value, text[:-1])
    if text.startswith("["):
        return isinstance(value, list) and all(_fits(each, text[1:-1]) for each in value)
    if text.startswith("{"):
        return not _object(value, text[1:-1])
    if text == "bool":
        return isinstance(value, bool)
    return isinstance(value, _SCALARS[text]) and not isinstance(value, bool)
