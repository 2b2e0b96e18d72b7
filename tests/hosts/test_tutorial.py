"""The tutorial: every command of it as it stands there, and what it prints.

Numbers may be others than in the page; gpids are learnt as they come.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ssi.lab import Lab
from tests.hosts.conftest import end_client_agent
from tests.hosts.person import Person, person
from tests.hosts.system import COMMAND_TIMEOUT_S, Ssi, eventually

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
NUMBER = re.compile(r"(?<![\w.~>])\d[\d.]*(?:ms|[sBKMG])?(?!\w)")
STEPS = re.compile(r"\([a-z]+ \d+\.\d\d s(?:, [a-z]+ \d+\.\d\d s)+\)")
"""What a host took how long for; a step of less than 5 ms is not told."""

GPID = re.compile(r"(?<!\w)\d{8}(?!\w)")


class Beginner(Ssi):
    """Somebody who has read nothing but the page: their jobs see their files."""

    @property
    def environment(self) -> dict[str, str]:
        ours = {key: value for key, value in super().environment.items() if key != "SSI_ROOT"}
        return {**ours, "COLUMNS": "100"}


@dataclass
class Reading:
    """How far the page is read.

    Attributes:
        known: Gpids of the page, and what they are here.
        editor: The terminal in which the editor runs.
    """

    ssi: Beginner
    folder: Path
    stack: ExitStack
    known: dict[str, str] = field(default_factory=dict)
    editor: Person | None = None

    def block(self, kind: str, lines: list[str]) -> None:
        if kind == "keys":
            self.keys(lines)
        for command, told in commands_of(lines) if kind == "console" else ():
            if " vi " in command:
                assert not told
                self.edit(command)
            else:
                self.command(command, told)

    def command(self, command: str, told: list[str]) -> None:
        """Runs a command, and finds each line that it is told to print."""
        if command.startswith("ssi nodes"):
            eventually(self.knows_all_nodes, what="this machine's agent has heard of all")
        if self.editor is not None and command.startswith("cat"):
            assert self.editor.comes_back() == 0
        command = GPID.sub(lambda found: self.known[found[0]], command)
        program = f'ssi() {{ {shlex.quote(sys.executable)} -m ssi.cli "$@"; }}; {command}'
        done = subprocess.run(
            ["bash", "-c", program],
            cwd=self.folder,
            env=self.ssi.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        said = done.stdout.replace(f" --name {self.ssi.lab.name}", "")
        said = said.replace(self.ssi.lab.name, "lab")
        said = re.sub(r", compressed to \S+", "", said)  # where the machine is busy
        for line in filter(None, told):
            self.find(line, said, command)

    def knows_all_nodes(self) -> bool:
        rows = self.ssi.json("nodes")
        return all(row["state"] == "alive" and row["metrics"] for row in rows)

    def find(self, line: str, said: str, command: str) -> None:
        """A line of the page in what was said, but for numbers and the width of columns."""
        line, said = (STEPS.sub("(STEPS)", text) for text in (line, said))
        between = [re.escape(part) for part in NUMBER.split(" ".join(line.split()))]
        pattern = r"(\d\S*?)".join(between).replace(r"\ ", r"\s+")
        found = re.search(rf"^\s*{pattern}\s*$", said, re.MULTILINE)
        assert found, f"{command}: no line like\n{line}\nin\n{said}"
        for there, here in zip(NUMBER.findall(line), found.groups(), strict=True):
            if GPID.fullmatch(there):
                self.known[there] = here

    def edit(self, command: str) -> None:
        """Starts the editor in a terminal of its own, and waits until it has it."""
        self.editor = self.stack.enter_context(person(self.ssi, "editor", columns=80, rows=20))
        self.editor.type(f"cd {shlex.quote(str(self.folder))}; clear")
        self.editor.runs(command)
        self.editor.sees(r"^~(?s:.*)letter\.txt")

    def keys(self, lines: list[str]) -> None:
        """Types what the page says, and waits until text is seen."""
        assert self.editor is not None
        for line in lines:
            if line == "Esc":
                self.editor.press("Escape")
            elif line == "Enter":
                self.editor.press("Enter")
            else:
                self.editor.keys(line)
                if " " in line:
                    self.editor.sees(re.escape(line))


def blocks_of(page: str) -> Iterator[tuple[str, list[str]]]:
    """The kind and the lines of each block that stands between fences."""
    for kind, text in re.findall(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        yield kind, text.splitlines()


def commands_of(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Each command with the lines that it prints."""
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


@pytest.mark.usefixtures("machine")
def test_tutorial_can_be_followed_from_nothing_to_a_vim_that_moved(
    spare_name: str, tmp_path: Path
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    lab = Lab.up(name=spare_name, size=3)
    blocks = list(blocks_of(PAGE.read_text(encoding="utf-8")))
    assert [kind for kind, _ in blocks].count("keys") == 2
    try:
        with ExitStack() as stack:
            reading = Reading(Beginner(lab, tmp_path / "config"), folder, stack)
            for kind, lines in blocks:
                reading.block(kind, lines)
        assert (folder / "letter.txt").read_text() == "Begun on n1, ended on n2.\n"
        assert spare_name not in Lab.names()
    finally:
        end_client_agent(tmp_path)
