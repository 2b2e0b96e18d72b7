"""Each row of docs/compatibility.md names a test that exists, or says that there is none."""

import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
DOCUMENT = (PROJECT / "docs/compatibility.md").read_text(encoding="utf-8")
TESTS = {path.name: path.read_text() for path in (PROJECT / "tests/hosts").glob("test_*.py")}


def test_every_row_names_a_test_or_says_that_there_is_none() -> None:
    rows = [line for line in DOCUMENT.splitlines() if line.startswith("| ")]
    for row in rows:
        if row.startswith(("| program", "| object")):
            continue
        assert "test_" in row or "hops[" in row or "not tested" in row, row


def test_every_named_test_exists() -> None:
    names = set(re.findall(r"`(test_\w+)(?:\[\w+\])?`", DOCUMENT))
    assert len(names) > 20
    for name in names:
        assert any(f"def {name}(" in text for text in TESTS.values()), name
    for file in re.findall(r"`(test_\w+\.py)`", DOCUMENT):
        assert file in TESTS, file


def test_every_named_object_is_hopped() -> None:
    rows = [row for row in DOCUMENT.splitlines() if "hops[" in row]
    objects = {name for row in rows for name in re.findall(r"(?:`|hops)\[([\w-]+)\]`", row)}
    assert len(objects) > 15
    for name in objects:
        assert f'"{name}": """' in TESTS["test_compatible_objects.py"], name
