"""Where a session begins, and with what."""

from __future__ import annotations

import os

from shell.session.launch import locale
from shell.session.neighbours import Neighbours
from shell.session.resident import Beginning
from ssi.client.system import System

_NOT_CARRIED = frozenset({"_", "PWD", "OLDPWD", "SHLVL", "BASH_ENV", "PS1", "PS2"})


async def place_of(system: System, node: str) -> str:
    """The node of a session: the one that was named, this machine, or what placement suggests.

    Raises:
        SsiError: There is no such node, or none fits.
    """
    if node:
        return await system.select_one(node)
    return (await system.nodes()).observer or (await system.place()).node


def first_beginning(neighbours: Neighbours, node: str) -> Beginning:
    """How a session begins there: on this very machine with this very environment."""
    environment = locale()
    if node == neighbours.here:
        environment = {
            name: value for name, value in os.environ.items() if name not in _NOT_CARRIED
        }
    elif "SSI_ROOT" in os.environ:
        environment["SSI_ROOT"] = os.environ["SSI_ROOT"]
    return Beginning(cwd=_cwd(), environment=environment)


def _cwd() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - what the user's shell calls it
    except FileNotFoundError:
        return ""
