"""Completions in real shells, each in a terminal of its own, with what the system says made up."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from completions.generate import FILES, FOLDER, TABLE
from ssi.cli.completion.command import Shell, script
from ssi.cli.completion.table import render
from ssi.cli.completion.words import verbs_of
from ssi.cli.main import tree
from tests.hosts.person import Person, tmux

SAYS = r"""#!/bin/sh
# Stands in for ssi: what the system would know, of each kind of word.
[ "$1" = __complete ] || exit 1
[ -z "$FAKE_HANGS" ] || exec sleep 600
case $2 in
nodes) set -- "$4" 'n1 node' 'n2 node, dead' ;;
gpids) set -- "$4" '10000017 sleep 100 (n1)' '10000023 vim x (n1)' '20000004 top (n2)' ;;
jobs | movable) set -- "$4" '15000001 make -j8 (running, n1)' ;;
places) set -- "$4" 'n1: node' 'n2: node' 'n1:/var/ ' 'n1:/var/log/ ' 'n1:/var/lib/ ' 'n1:/usr/ ' \
    'n1:/var/log/a%b ' ;;
esac
word=$1
shift
for each; do
    value=$(printf %s "${each%% *}" | tr % ' ')
    case $value in
    "$word"*/?*) case ${value#"$word"} in */?*) continue ;; esac ;;
    "$word"*) ;;
    *) continue ;;
    esac
    printf '%s\t%s\n' "$value" "${each#* }"
done
"""

START = {
    Shell.BASH: ["bash", "--norc", "--noprofile"],
    Shell.ZSH: ["zsh", "-f"],
    Shell.FISH: ["fish", "--no-config"],
}

SETUP = {
    Shell.BASH: "PS1='here> '; bind 'set bell-style none'; source {}/ssi.bash",
    Shell.ZSH: "PS1='here> '; fpath=({} $fpath); autoload -Uz compinit; compinit -D -u; "
    "zstyle ':completion:*' list-prompt ''",
    Shell.FISH: "function fish_prompt; echo -n 'here> '; end; "
    "set -g fish_autosuggestion_enabled 0; source {}/ssi.fish; clear",
}

_numbers = itertools.count()


@pytest.mark.parametrize("shell", list(Shell))
def test_file_is_what_the_tree_of_commands_says(shell: Shell) -> None:
    text = (FOLDER / FILES[shell]).read_text(encoding="utf-8")
    assert text == script(shell), "`python completions/generate.py` writes it again"


def test_table_of_the_own_shell_is_what_the_tree_of_commands_says() -> None:
    text = TABLE.read_text(encoding="utf-8")
    assert text == render(verbs_of(tree())), "`python completions/generate.py` writes it again"


class Typist(Person):
    """Somebody at one shell."""

    def begin(self, keys: str) -> None:
        """Types on an empty line of an empty screen. No signal: that may cost keys typed after."""
        self.press("C-u", "C-l")
        self.sees(r"\A\s*here>\s*\Z")
        self.keys(keys)
        self.sees(rf"here> +{re.escape(keys)}\s*\Z")

    def line(self, keys: str, expected: str) -> None:
        """Completes what was typed, and waits until the line reads so."""
        self.begin(keys)
        self.press("Tab")
        self.sees(rf"here> +{re.escape(expected)}[^\n]*\s*\Z")

    def offers(self, keys: str, *seen: str) -> None:
        """Asks twice about what was typed, and waits until all of it is offered."""
        self.begin(keys)
        self.press("Tab", "Tab")
        for text in seen:
            self.sees(re.escape(text))


@pytest.fixture(params=list(Shell))
def shell(request: pytest.FixtureRequest) -> Shell:
    found: Shell = request.param
    return found


@pytest.fixture
def typist(shell: Shell, tmp_path: Path) -> Iterator[Typist]:
    yield from started(shell, tmp_path, {"SSI_COMPLETION_SECONDS": "60"})


def started(shell: Shell, folder: Path, environment: dict[str, str]) -> Iterator[Typist]:
    program = folder / "bin/ssi"
    program.parent.mkdir()
    program.write_text(SAYS)
    program.chmod(0o755)
    (folder / "files/inner").mkdir(parents=True)
    socket = f"ssi-completion-{os.getpid()}-{next(_numbers)}"
    setting = {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "TERM": "screen",
        **environment,
    }
    words = ["env", *(f"{name}={value}" for name, value in setting.items()), *START[shell]]
    tmux(socket, "new-session", "-d", "-s", "one", "-x", "120", "-y", "40", "-c", str(folder),
         shlex.join(words))  # fmt: skip
    try:
        typist = Typist(socket, "one")
        typist.sees(r"\S")
        typist.type(SETUP[shell].format(shlex.quote(str(FOLDER.resolve()))) + "; echo 're''ady'")
        typist.sees("^ready")
        yield typist
    finally:
        subprocess.run(["tmux", "-L", socket, "kill-server"], check=False)


def test_verbs_options_and_what_the_system_knows(typist: Typist, shell: Shell) -> None:
    typist.line("ssi migr", "ssi migrate")
    typist.line("ssi --color nev", "ssi --color never")
    typist.line("ssi run --no-t", "ssi run --no-tty")
    typist.line("ssi checkpoints r", "ssi checkpoints rm")
    typist.line("ssi ps -o yam", "ssi ps -o yaml")
    typist.line("ssi ps --output=yam", "ssi ps --output=yaml")
    typist.line("ssi logs 15", "ssi logs 15000001")
    typist.line("ssi run -n n1 -- ls fil", "ssi run -n n1 -- ls files/")
    typist.offers("ssi kill 100000", "sleep 100 (n1)", "vim x (n1)")
    typist.offers("ssi cordon n", "n1", "node, dead")
    typist.offers("ssi checkpoint", "Show the checkpoints of all nodes")


def test_paths_of_nodes_and_of_this_machine(typist: Typist, shell: Shell) -> None:
    typist.line("ssi cp n2", "ssi cp n2:")
    typist.line("ssi cp n1:/va", "ssi cp n1:/var/")
    typist.line("ssi cp -a n1:/var/lo", "ssi cp -a n1:/var/log/")
    typist.line("ssi cp n1:/var/log/a", r"ssi cp n1:/var/log/a\ b")
    typist.line("ssi cat 'n1:/va", "ssi cat 'n1:/var/")
    typist.line("ssi cp n1:/usr/ ./fil", "ssi cp n1:/usr/ ./files/")
    typist.line("ssi cp n1:/usr/ n1:/us", "ssi cp n1:/usr/ n1:/usr/")
    typist.offers("ssi ls n1:/var/l", "/log/", "lib/")


def test_system_that_hangs_is_not_waited_for(shell: Shell, tmp_path: Path) -> None:
    """It would answer after ten minutes; the line goes on long before anybody gave up on it."""
    for typist in started(shell, tmp_path, {"FAKE_HANGS": "1"}):
        typist.keys("ssi kill 1")
        typist.press("Tab")
        typist.keys("7")
        typist.sees(r"here> +ssi kill 17\s*\Z")
