"""Objects as YAML, for people who read much of it and for tools that take nothing else.

Scalars are written as JSON has them, which is YAML too, so that no name or command line is ever
taken for a number, a truth or a date. Source: YAML 1.2, 10.3; PyYAML reads it as 1.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from ssi.view.jsonview import JsonObject, JsonValue

_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NO_TEXTS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_NO_POINT: Final = re.compile(r"^(-?\d+)(e[+-]?\d+)$")


def render_yaml(objects: Sequence[JsonObject]) -> str:
    """A list of objects, each name in a line of its own."""
    if not objects:
        return "[]\n"
    return "".join(f"{line}\n" for line in _lines(objects))


def _lines(value: JsonValue) -> list[str]:
    """A list or an object that is not empty, without indentation."""
    lines: list[str] = []
    if isinstance(value, Mapping):
        for name, part in value.items():
            if _is_block(part):
                lines += [f"{_key(name)}:", *(f"  {line}" for line in _lines(part))]
            else:
                lines.append(f"{_key(name)}: {_scalar(part)}")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for part in value:
            first, *rest = _lines(part) if _is_block(part) else [_scalar(part)]
            lines += [f"- {first}", *(f"  {line}" for line in rest)]
    return lines


def _is_block(value: JsonValue) -> bool:
    return isinstance(value, Mapping | Sequence) and not isinstance(value, str) and bool(value)


def _key(name: str) -> str:
    """The name as it is where every reader takes it for a text; YAML 1.1 has more booleans."""
    is_safe = _WORD.fullmatch(name) and name.lower() not in _NO_TEXTS
    return name if is_safe else _scalar(name)


def _scalar(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=True, allow_nan=False).replace("\x7f", "\\u007f")
    # 1e-05 has no point, and is a string to a reader of YAML 1.1.
    return _NO_POINT.sub(r"\1.0\2", text) if isinstance(value, float) else text
