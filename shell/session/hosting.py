"""The program that holds a session's bash on a node, as one text: it is the client's."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

_COMPANIONS: Final = ("carried", "leftover", "outgoing")
_FUTURE: Final = "from __future__ import annotations\n"
"""Must be the first statement of a program."""


def program() -> str:
    """Source of :mod:`shell.session.host`, and before it of the modules that it imports."""
    folder = files("shell.session")
    text = f"{_FUTURE}import sys, types\n"
    for name in _COMPANIONS:
        source = folder.joinpath(f"{name}.py").read_text(encoding="utf-8")
        text += (
            f"_{name} = sys.modules['shell.session.{name}'] = types.ModuleType({name!r})\n"
            f"exec({source!r}, _{name}.__dict__)\n"
        )
    return text + folder.joinpath("host.py").read_text(encoding="utf-8").replace(_FUTURE, "", 1)
