"""Writes the completions of all shells beside this file: ``python completions/generate.py``."""

from __future__ import annotations

from pathlib import Path

from ssi.cli.completion.command import Shell, script

FILES = {Shell.BASH: "ssi.bash", Shell.ZSH: "_ssi", Shell.FISH: "ssi.fish"}
FOLDER = Path(__file__).parent

if __name__ == "__main__":
    for shell, name in FILES.items():
        (FOLDER / name).write_text(script(shell), encoding="utf-8")
