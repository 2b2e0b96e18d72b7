"""`ssi explain`: every error has its explanation, and is found by its code."""

from __future__ import annotations

import json
import tomllib

import pytest

from docs.generate_errors import PACKAGES, import_everything
from ssi.cli.explain import MODULES, SOURCE, explanations, look_up
from ssi.cli.main import carry_out, tree
from ssi.cli.outcome import ended
from ssi.model.errors import SsiError, UsageError
from tests.schema import breaches


def run(*words: str) -> int:
    return ended(lambda: carry_out(tree(), ("explain", *words)))


def test_every_error_is_explained_and_nothing_else() -> None:
    import_everything()
    ours = tuple(f"{package.__name__}." for package in PACKAGES)
    kinds = {
        word: kind for word, kind in SsiError.classes().items() if kind.__module__.startswith(ours)
    }
    texts = tomllib.loads(SOURCE.read_text(encoding="utf-8"))
    assert texts.keys() == kinds.keys(), f"see {SOURCE.name}"
    assert {kind.__module__ for kind in kinds.values()} <= {*MODULES, "ssi.model.errors"}
    for word, text in texts.items():
        assert text.keys() == {"why", "try"}, word
        assert all(each.endswith(".") for each in text.values()), word


def test_codes_are_in_order_so_that_they_are_found() -> None:
    words = list(tomllib.loads(SOURCE.read_text(encoding="utf-8")))
    assert words == sorted(words)


def test_a_code_is_found_as_it_stands_behind_an_error_and_by_its_exit_status() -> None:
    known = explanations()
    assert [each.code for each in look_up("[node-down]", known)] == ["node-down"]
    assert {each.code for each in look_up("12", known)} == {"door-closed", "no-system"}
    with pytest.raises(UsageError, match=r"did you mean .*node-down"):
        look_up("node-dwon", known)
    with pytest.raises(UsageError, match="shows all codes"):
        look_up("xyzzy", known)


def test_an_explanation_says_what_why_and_what_to_try(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("timed-out") == 0
    out = capsys.readouterr().out
    assert out.startswith("timed-out (exit status 124)\n  what  No answer came in time; ")
    assert "\n  why   " in out
    assert "\n  try   " in out
    assert out.endswith("  tells node, request, after_s\n")
    assert max(map(len, out.splitlines())) <= 80


def test_without_a_code_all_are_shown_and_programs_get_objects(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run() == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split() == ["CODE", "EXIT", "WHAT"]
    assert len(table) > 90
    assert run("usage", "bug", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert breaches(rows, "explain") == []
    assert [row["code"] for row in rows] == ["usage", "bug"]
    assert run("nonsense-code") == 2


def test_the_schema_is_shown_with_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(lambda: carry_out(tree(), ("schema",))) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["version"] == 1
    assert "gpid" in shown["$defs"]["ps"]["properties"]
