"""The table of keys agrees with what there is to do, with the help and with the document."""

from __future__ import annotations

from pathlib import Path

from tui.actions.every import ACTIONS
from tui.bindings import BINDINGS, MOVES, help_lines, keymap, keys_meant, markdown_table
from tui.model.views import VIEWS

DOCUMENT = Path(__file__).parents[3] / "docs" / "tui.md"
OF_HTOP = {
    *(
        "f1",
        "h",
        "?",
        "f2",
        "S",
        "f3",
        "/",
        "f4",
        "\\",
        "f5",
        "t",
        "f6",
        ">",
        "f9",
        "k",
        "f10",
        "q",
    ),
    *("space", "c", "U", "u", "H", "K", "P", "M", "T", "N", "I", "F", "Z", "p", "m", "w"),
    *("f7", "]", "f8", "[", "a", "i", "e", "l", "s"),
    *("tab", "shift+tab", "+", "-", "*", "#", "ctrl+l"),
}
"""What fingers that know htop press."""


def test_every_binding_has_an_action_and_every_action_a_binding() -> None:
    assert {binding.action for binding in BINDINGS} == set(ACTIONS)


def test_no_key_does_two_things_and_none_is_missing() -> None:
    assert set(keymap()) >= OF_HTOP
    for view in VIEWS:
        assert not set(keymap(view)) & set(MOVES)
    assert keymap("Nodes")["c"].action == "cordon"
    assert keymap("Processes")["c"].action == "tag-children"


def test_the_help_names_every_action() -> None:
    text = "\n".join(help_lines())
    assert all(binding.does in text for binding in BINDINGS)


def test_the_document_has_the_table() -> None:
    assert markdown_table() in DOCUMENT.read_text(encoding="utf-8")


def test_key_bar_has_function_keys_only() -> None:
    assert all(binding.keys[0].startswith("f") for binding in BINDINGS if binding.label)


def test_a_letter_right_after_escape_is_both() -> None:
    assert keys_meant("alt+k", "k") == ("escape", "k")
    assert keys_meant("alt+f9", None) == ("escape", "f9")
    assert keys_meant("slash", "/") == ("/",)
    assert keys_meant("space", " ") == ("space",)
    assert keys_meant("ctrl+l", "\x0c") == ("ctrl+l",)
