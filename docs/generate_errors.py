"""Writes ``docs/errors.md`` from the classes of all errors: ``python docs/generate_errors.py``."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import fields
from pathlib import Path

import nodeagent
import shell
import ssi
import tui
from ssi.model.errors import SsiError

PACKAGES = (ssi, nodeagent, shell, tui)
TARGET = Path(__file__).with_name("errors.md")

_HEAD = """\
# Errors

This table is generated from the classes of the errors (`python docs/generate_errors.py`), and a
test compares it with them.

An error has a **word**, its code, which does not change between releases, stands in brackets behind
each message, and is what `--json` and the protocol carry (`ssi explain WORD` tells why it may have
come, and what helps); an **exit code** of the command that it ends; and typed **fields**. Commands
that run a program for you (`ssi run`, `ssi attach`, `ssi wait`) return the status of that program
instead, `128 + N` where signal N ended it, and 255 where ssi failed ([cli.md](cli.md)).

Codes that several errors share: 1 something failed, 2 the command line or a name in it is wrong,
4 a node is out of reach, 5 keys do not fit, 7 you may not, 124 no answer came in time and whether
it was done is unknown.

| word | exit code | meaning | fields |
|---|---|---|---|
"""


def import_everything() -> None:
    """Imports every module of the packages, so that every error class is known."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def render() -> str:
    """The whole document."""
    rows = []
    ours = tuple(f"{package.__name__}." for package in PACKAGES)
    for word, kind in sorted(SsiError.classes().items()):
        if not kind.__module__.startswith(ours):
            continue
        meaning = (kind.__doc__ or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
        names = ", ".join(f"`{field.name}`" for field in fields(kind))
        rows.append(f"| `{word}` | {kind.exit_code} | {' '.join(meaning.split())} | {names} |\n")
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    import_everything()
    TARGET.write_text(render(), encoding="utf-8")
