"""Nothing that comes from outside is ever turned into code or into objects of any class."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("ssi", "nodeagent", "shell", "tui")
FILES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))

MODULES = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle"}
CALLS = {"eval", "exec", "compile", "__import__"}
METHODS = {"send_pyobj", "recv_pyobj", "send_serialized", "recv_serialized"}

EXCEPTIONS = {
    # Runs the program that it was given over SSH, on the host, before anything else is there.
    "ssi/deploy": {"exec", "compile"},
}


def breaches(tree: ast.AST, allowed: set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for name in names:
                    if name.name.split(".")[0] in MODULES:
                        yield f"line {node.lineno}: import {name.name}"
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in MODULES:
                yield f"line {node.lineno}: from {module}"
            case ast.Call(func=ast.Name(id=name)) if name in CALLS - allowed:
                yield f"line {node.lineno}: {name}()"
            case ast.Attribute(attr=name) if name in METHODS:
                yield f"line {node.lineno}: {name}"
            case ast.Call(func=ast.Attribute(attr="load" | "loads", value=ast.Name(id=name))):
                if name in MODULES | {"yaml"}:
                    yield f"line {node.lineno}: {name}.load"
            case _:
                pass


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_neither_unpickles_nor_evaluates(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    allowed = set().union(
        *(words for prefix, words in EXCEPTIONS.items() if name.startswith(prefix))
    )
    assert list(breaches(ast.parse(path.read_text(encoding="utf-8")), allowed)) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import os, marshal as m",
        "from pickle import loads",
        "eval('1')",
        "exec(code)",
        "socket.recv_pyobj()",
    ],
)
def test_breach_is_found(source: str) -> None:
    assert list(breaches(ast.parse(source), set()))
