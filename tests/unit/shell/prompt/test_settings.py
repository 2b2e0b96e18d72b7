from __future__ import annotations

import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

from shell.prompt.external import edited, editors
from shell.prompt.settings import Settings, load_settings, parse_settings
from ssi.model.errors import UsageError

DOCUMENT = Path(__file__).parents[4] / "docs" / "shell-prompt.md"


def test_what_a_file_does_not_name_is_as_without_a_file(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "prompt.toml") == Settings()
    assert parse_settings('editing = "vi"\n') == Settings(editing="vi")


def test_the_document_shows_all_settings_as_they_are_without_a_file() -> None:
    shown = DOCUMENT.read_text(encoding="utf-8").partition("all of it optional:")[2]
    assert tomllib.loads(shown) == asdict(Settings())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("editing = 3", "editing = 3 is no such setting"),
        ('editing = "ed"', 'it is "emacs", "vi"'),
        ("clock = 1", "it is true or false"),
        ("paste_rows = true", "paste_rows = True"),
        ("paste_rows = -1", "paste_rows = -1"),
        ("colour = 1", "there is no setting 'colour'"),
        ("editing", "it is no TOML"),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "prompt.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as raised:
        load_settings(path)
    assert complaint in str(raised.value)
    assert str(path) in str(raised.value)


def test_the_editor_of_the_session_comes_first() -> None:
    environment = {"VISUAL": "code --wait", "EDITOR": "ed"}
    assert editors("vim -u 'a b'", environment)[:3] == [
        ["vim", "-u", "a b"],
        ["code", "--wait"],
        ["ed"],
    ]
    assert editors("broken '", {})[0] == ["editor"]


def test_an_editor_that_is_not_there_is_passed_over() -> None:
    assert edited("text", [["/no/such/editor"], ["true"]]) == "text"


def test_what_an_editor_left_after_a_failure_is_not_taken() -> None:
    assert edited("text", [["false"], ["true"]]) is None
    assert edited("text", []) is None
