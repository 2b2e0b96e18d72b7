"""Writes the completions of all shells: ``python completions/generate.py``.

Those of bash, zsh and fish stand beside this file, those of the shell of ssi in its package.
"""

from __future__ import annotations

from pathlib import Path

from ssi.cli.completion.command import Shell, script
from ssi.cli.completion.table import render
from ssi.cli.completion.words import verbs_of
from ssi.cli.main import tree

FILES = {Shell.BASH: "ssi.bash", Shell.ZSH: "_ssi", Shell.FISH: "ssi.fish"}
FOLDER = Path(__file__).parent
TABLE = FOLDER.parent / "shell/prompt/verbs.json"

if __name__ == "__main__":
    for shell, name in FILES.items():
        (FOLDER / name).write_text(script(shell), encoding="utf-8")
    TABLE.write_text(render(verbs_of(tree())), encoding="utf-8")
