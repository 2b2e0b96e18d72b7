"""The one table of keys, of which the key bar, the help and docs/tui.md are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What keys do.

    Attributes:
        keys: As Textual names them; what is typed stands for itself.
        action: Name of what is done, as in the command palette.
        does: One line for the help.
        label: On the key bar, beside the first key, which is a function key; empty: not there.
        changes: It changes something in the system: refused with ``--readonly``.
        view: The only one in which it means that; empty: every other.
    """

    keys: tuple[str, ...]
    action: str
    does: str
    label: str = ""
    changes: bool = False
    view: str = ""


def _does(
    keys: str, action: str, does: str, label: str = "", *, changes: bool = False, view: str = ""
) -> Binding:
    return Binding(
        keys=tuple(keys.split(" ")),
        action=action,
        does=does,
        label=label,
        changes=changes,
        view=view,
    )


GROUPS: Final[Mapping[str, tuple[Binding, ...]]] = {
    "Find and arrange": (
        _does("f1 h ?", "help", "show this help", "Help"),
        _does("f2 S", "setup", "settings: theme, pace, columns; kept when one leaves", "Setup"),
        _does("f3 /", "search", "go to the next process with a text in its command", "Search"),
        _does("f4 \\", "filter", "show only what fits: node=n2 cpu>50 user=ada !zsh", "Filter"),
        _does("f5 t", "tree", "children below their parents, on whatever node", "Tree"),
        _does("f6 > .", "sort", "choose the column to sort by", "SortBy"),
        _does("P", "sort-cpu", "sort by CPU use"),
        _does("M", "sort-memory", "sort by memory"),
        _does("T", "sort-time", "sort by CPU time"),
        _does("N", "sort-gpid", "sort by gpid"),
        _does("G", "sort-gpu", "sort by use of GPUs, and show it"),
        _does("I", "invert", "turn the order round"),
        _does("u", "users", "show one user's processes only"),
        _does("n", "nodes", "show one node's processes only"),
        _does("g", "group", "group by node"),
        _does("H", "threads", "show threads of processes, as {name} before the command"),
        _does("K", "kernel-threads", "show threads of the kernels"),
        _does("p", "full-paths", "programs with or without their directories"),
        _does("m", "merged", "names of processes before their commands"),
        _does("w", "wrap", "the whole command of the chosen process"),
        _does("F", "follow", "stay on this process, also when it moves to another node"),
        _does("Z", "pause", "let nothing change on the screen"),
        _does("+ -", "fold", "in the tree: hide or show the children of this process"),
        _does("*", "fold-all", "in the tree: hide or show all children"),
        _does("#", "hide-cards", "hide or show the nodes above"),
    ),
    "Choose several": (
        _does("space", "tag", "tag or untag this process"),
        _does("c", "tag-children", "tag this process and its children"),
        _does("U", "untag", "untag all"),
    ),
    "Act on the chosen processes": (
        _does(
            "f7 ]",
            "less-nice",
            "a higher priority, which only root may give",
            "Nice-",
            changes=True,
        ),
        _does("f8 [", "nicer", "a lower priority", "Nice+", changes=True),
        _does("f9 k", "kill", "send a signal, chosen from a list", "Kill", changes=True),
        _does("a", "affinity", "choose on which processors it may run", changes=True),
        _does("i", "io-priority", "choose an I/O priority", changes=True),
        _does("e", "environment", "the environment of one of your own processes"),
        _does("l", "open-files", "what one of your own processes has open"),
        _does("s", "system-calls", "three seconds of strace of one of your own, where it is there"),
        _does("z", "freeze", "freeze or thaw a job", changes=True),
        _does("v", "migrate", "move a job: targets with their scores and reasons", changes=True),
        _does("V", "migrate-auto", "move jobs to where they suit best", changes=True),
        _does("E", "explain", "which nodes would take this job, and why not the others"),
        _does("A", "attach", "join the terminal of a job; ~. comes back", changes=True),
        _does("o", "output", "show what a detached job writes, or several tagged ones in one text"),
        _does("d", "details", "all that is known of this process"),
        _does("y", "copy", "copy the gpid to the clipboard"),
        _does("r", "run", "start a command as a job", changes=True),
    ),
    "In the view of nodes": (
        _does("c", "cordon", "place nothing there any more", changes=True, view="Nodes"),
        _does("u", "uncordon", "place jobs there again", changes=True, view="Nodes"),
        _does("s", "shell", "a shell there, in the whole terminal", changes=True, view="Nodes"),
    ),
    "Nodes and the rest": (
        _does(
            "D", "drain", "empty the node of what is chosen, once its name is typed", changes=True
        ),
        _does("tab", "next-view", "the next view: Processes, I/O, GPU, Jobs, Nodes, Events"),
        _does("shift+tab", "previous-view", "the view before"),
        _does("j", "jobs", "all jobs, also ended ones"),
        _does("L", "events", "what happened to the nodes, and what was done from here"),
        _does(":", "palette", "do any of these by its name"),
        _does("ctrl+l", "redraw", "draw the screen anew"),
        _does("f10 q ctrl+c", "quit", "leave", "Quit"),
    ),
}

BINDINGS: Final = tuple(binding for group in GROUPS.values() for binding in group)

MOVES: Final[Mapping[str, str]] = {
    "up": "up",
    "ctrl+p": "up",
    "down": "down",
    "ctrl+n": "down",
    "pageup": "page-up",
    "pagedown": "page-down",
    "home": "home",
    "end": "end",
}
"""Keys that move a cursor, in every list."""

TAKEN: Final = ("tab", "shift+tab", "ctrl+c", "ctrl+q", "ctrl+p")
"""Keys that Textual would keep for itself."""

_SHOWN: Final = {
    "space": "Space",
    "tab": "Tab",
    "shift+tab": "Shift-Tab",
    "ctrl+l": "Ctrl-L",
    "ctrl+c": "Ctrl-C",
}


def shown_key(key: str) -> str:
    """A key as it is printed on keyboards."""
    return _SHOWN.get(key, key.upper() if len(key) > 1 and key.startswith("f") else key)


def keys_meant(key: str, character: str | None) -> tuple[str, ...]:
    """What was pressed: a key that is seen as itself, any other by its name.

    A key right after Escape reaches us as one key with Alt, which is bound to nothing here: it is
    Escape and that key, as for any program that is left by Escape.

    Args:
        key: As Textual names it.
        character: That it types, if any.
    """
    is_seen = character is not None and character.isprintable() and character != " "
    plain = character if is_seen and character is not None else key.removeprefix("alt+")
    return ("escape", plain) if key.startswith("alt+") else (plain,)


def keymap(view: str = "") -> dict[str, Binding]:
    """What each key does in a view; in none of them it does two things."""
    keys: dict[str, Binding] = {}
    for only in ("", view) if view else ("",):
        fresh: dict[str, Binding] = {}
        for binding in BINDINGS:
            if binding.view == only:
                for key in binding.keys:
                    assert key not in fresh, f"{key} does two things"
                    fresh[key] = binding
        keys |= fresh
    return keys


def help_lines() -> list[str]:
    """The help."""
    lines = ["Arrows, PgUp, PgDn, Home, End move; digits go to a gpid.", ""]
    for group, bindings in GROUPS.items():
        lines.append(f"{group}:")
        for binding in bindings:
            keys = " ".join(shown_key(key) for key in binding.keys)
            lines.append(f"  {keys:>14}  {binding.does}")
        lines.append("")
    return lines


def markdown_table() -> str:
    """The table of docs/tui.md."""
    lines = ["| keys | does | named |", "|---|---|---|"]
    for group, bindings in GROUPS.items():
        lines.append(f"| | **{group}** | |")
        for binding in bindings:
            keys = " ".join(f"`{_escaped(shown_key(key))}`" for key in binding.keys)
            lines.append(f"| {keys} | {_escaped(binding.does)} | `{binding.action}` |")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
