"""Somebody at a terminal: a shell in tmux, whose screen is read as that person would see it."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.hosts.seen import newly_seen
from tests.hosts.system import Ssi, eventually

PROMPT = "here> "

_numbers = itertools.count()
"""A server of tmux that was told to end takes a moment: none is ever called as another was."""


class Person:
    """One terminal. Keys are typed literally by :meth:`type`, by tmux's names by :meth:`press`.

    What is waited for must be new: see :meth:`sees`.
    """

    def __init__(self, socket: str, name: str) -> None:
        self._socket = socket
        self._name = name
        self._before = ""
        self._has_looked = True
        self._lines = 0

    def type(self, text: str) -> None:
        """Types a line."""
        self.keys(text)
        self.press("Enter")

    def keys(self, text: str) -> None:
        """Types keys as they are."""
        self._acts("send-keys", "-t", self._name, "-l", text)

    def press(self, *names: str) -> None:
        """Presses keys that have names, as ``C-c``."""
        self._acts("send-keys", "-t", self._name, *names)

    def resize(self, columns: int, rows: int) -> None:
        """Makes the window as large."""
        self._acts("resize-window", "-t", self._name, "-x", str(columns), "-y", str(rows))

    def screen(self) -> str:
        """What is shown now."""
        return self._tmux("capture-pane", "-p", "-t", self._name)

    def painted(self) -> str:
        """What is shown now, with its colours as a terminal has them."""
        return self._tmux("capture-pane", "-p", "-e", "-t", self._name)

    def sees(self, pattern: str) -> re.Match[str]:
        """Waits until the screen matches by something new; the match.

        New is what was not there when the first key was pressed, or the window changed, since the
        last look: what was there then is no answer to it, and does not end the wait.
        """
        compiled = re.compile(pattern, re.MULTILINE)
        self._has_looked = True
        found: list[re.Match[str]] = []

        def is_there() -> bool:
            # Of the screen that was looked at: the next may be in the midst of a change.
            seen = newly_seen(compiled, self._before, self.screen())
            if seen is not None:
                found.append(seen)
            return seen is not None

        try:
            eventually(is_there, what=f"to see {pattern}")
        except AssertionError as exc:
            screen = self.screen()
            old = "; all that matches was there before the keys" if compiled.search(screen) else ""
            raise AssertionError(f"{exc}{old}; what is seen:\n{screen}") from exc
        return found[0]

    def runs(self, line: str) -> None:
        """Runs a command line of which :meth:`comes_back` tells the end."""
        self._lines += 1
        told = f"status=$?; stty -g >$after; told {self._lines}"
        self.type(f"clear; stty -g >$before; {line}; {told}")

    def comes_back(self) -> int:
        """Waits for the end of the command; its status. The terminal is as it was before."""
        found = self.sees(rf"^line={self._lines} status=(\d+) terminal=(\w+)")
        assert found[2] == "same", self.screen()
        return int(found[1])

    def _acts(self, *words: str) -> None:
        """Does something that the screen is expected to answer to."""
        if self._has_looked:
            self._before = self.screen()
            self._has_looked = False
        self._tmux(*words)

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
        printf '\\n%s\\n' "line=$1 status=$status terminal=$same"
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
