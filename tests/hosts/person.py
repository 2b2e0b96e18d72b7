"""Somebody at a terminal: a shell in tmux, whose screen is read as that person would see it."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.hosts.system import Ssi, eventually

PROMPT = "here> "

_numbers = itertools.count()
"""A server of tmux that was told to end takes a moment: none is ever called as another was."""


class Person:
    """One terminal. Keys are typed literally by :meth:`type`, by tmux's names by :meth:`press`."""

    def __init__(self, socket: str, name: str) -> None:
        self._socket = socket
        self._name = name

    def type(self, text: str) -> None:
        """Types a line."""
        self.keys(text)
        self.press("Enter")

    def keys(self, text: str) -> None:
        """Types keys as they are."""
        self._tmux("send-keys", "-t", self._name, "-l", text)

    def press(self, *names: str) -> None:
        """Presses keys that have names, as ``C-c``."""
        self._tmux("send-keys", "-t", self._name, *names)

    def resize(self, columns: int, rows: int) -> None:
        """Makes the window as large."""
        self._tmux("resize-window", "-t", self._name, "-x", str(columns), "-y", str(rows))

    def screen(self) -> str:
        """What is shown now."""
        return self._tmux("capture-pane", "-p", "-t", self._name)

    def painted(self) -> str:
        """What is shown now, with its colours as a terminal has them."""
        return self._tmux("capture-pane", "-p", "-e", "-t", self._name)

    def sees(self, pattern: str) -> re.Match[str]:
        """Waits until the screen matches."""
        compiled = re.compile(pattern, re.MULTILINE)
        found: list[re.Match[str]] = []

        def is_there() -> bool:
            found.extend(compiled.finditer(self.screen()))
            return bool(found)

        try:
            eventually(is_there, what=f"to see {pattern}")
        except AssertionError as exc:
            raise AssertionError(f"{exc}; what is seen:\n{self.screen()}") from exc
        return found[
            0
        ]  # of the screen that was looked at: the next may be in the midst of a change

    def runs(self, line: str) -> None:
        """Runs a command line of which :meth:`comes_back` tells the end."""
        self.type(f"clear; stty -g >$before; {line}; status=$?; stty -g >$after; told")

    def comes_back(self) -> int:
        """Waits for the end of the command; its status. The terminal is as it was before."""
        found = self.sees(r"^status=(\d+) terminal=(\w+)")
        assert found[2] == "same", self.screen()
        return int(found[1])

    def _tmux(self, *words: str) -> str:
        return tmux(self._socket, *words)


def tmux(socket: str, *words: str) -> str:
    """What a command of a tmux server of its own prints."""
    run = subprocess.run(
        ["tmux", "-L", socket, "-f", "/dev/null", *words], capture_output=True, check=True
    )
    return run.stdout.decode()


@contextmanager
def person(ssi: Ssi, name: str, *, columns: int = 100, rows: int = 30) -> Iterator[Person]:
    """A person whose shell knows ``ssi``; with a server of tmux that ends with the block."""
    socket = f"{ssi.lab.name}-{name}-{next(_numbers)}"
    script = f"""
    ssi() {{ {shlex.quote(sys.executable)} -m ssi.cli "$@"; }}
    before=$(mktemp) after=$(mktemp); trap 'rm -f $before $after' EXIT
    told() {{
        cmp -s $before $after && same=same || same=changed
        printf '\\n%s\\n' "status=$status terminal=$same"
    }}
    PS1='{PROMPT}'
    """
    settings = [f"{key}={value}" for key, value in ssi.environment.items()]
    size = ("-x", str(columns), "-y", str(rows))
    shell = ["bash", "--noprofile", "--rcfile", "/dev/null", "-i"]
    tmux(socket, "new-session", "-d", *size, "-s", name, "env", *settings, *shell)
    try:
        someone = Person(socket, name)
        for line in script.strip().splitlines():
            someone.type(line.strip())
        someone.type("clear")
        someone.sees(rf"\A{PROMPT.strip()}$")
        yield someone
    finally:
        tmux(socket, "kill-server")
