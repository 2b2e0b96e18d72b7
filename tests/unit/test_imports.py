"""Every file can be imported on its own terms, and says what it is for."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("ssi", "nodeagent", "shell", "tui")
FILES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_opens_with_its_story(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring, "a module says in its docstring what it is for"


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.name != "__main__.py"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_module_can_be_imported(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    assert importlib.import_module(name).__file__ == str(path)
