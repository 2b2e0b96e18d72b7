"""What the kinds promise, as JSON Schema."""

from __future__ import annotations

from typing import Final

from ssi.view.jsonview import JsonObject
from ssi.view.kind import VERSION, Kind
from ssi.view.kinds import KINDS

_SCALARS: Final = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}


def has_name(kind: str, path: str) -> bool:
    """Whether objects of a kind have ``a`` or ``a.b``."""
    name, _, rest = path.partition(".")
    found = next((each for each in KINDS[kind].names if each.name == name), None)
    if found is None:
        return False
    inner = found.type.strip("[]{}?")
    return not rest or (inner in KINDS and has_name(inner, rest))


def json_schema() -> JsonObject:
    """All kinds as JSON Schema (draft 2020-12), by command."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What ssi prints with -o json",
        "version": VERSION,
        "$defs": {name: _object(kind) for name, kind in KINDS.items()},
    }


def _object(kind: Kind) -> JsonObject:
    return {
        "title": kind.title,
        "description": kind.about,
        "type": "object",
        "properties": {
            each.name: {**_type(each.type), **({"description": each.about} if each.about else {})}
            for each in kind.names
        },
        "required": [each.name for each in kind.names if each.always],
    }


def _type(text: str) -> JsonObject:
    if text.endswith("?"):
        return {"anyOf": [_type(text[:-1]), {"type": "null"}]}
    if text.startswith("["):
        return {"type": "array", "items": _type(text[1:-1])}
    if text.startswith("{"):
        return {"$ref": f"#/$defs/{text[1:-1]}"}
    return {"type": _SCALARS[text]}
