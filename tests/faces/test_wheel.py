"""The wheel, as it is given away: built from the tree and installed where nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from completions.generate import FILES, FOLDER
from docs.generate_verbs import MAN
from ssi.version import VERSION

ROOT = Path(__file__).parents[2]
LIMIT_S = 600


def output(*words: str | Path, **environment: str) -> str:
    """What a command prints, which must succeed."""
    run = subprocess.run(
        list(map(str, words)),
        env={**os.environ, **environment},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert run.returncode == 0, run
    return run.stdout


@pytest.mark.timeout(2 * LIMIT_S)
def test_built_wheel_works_in_an_environment_of_its_own(tmp_path: Path) -> None:
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    output(*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("ssi-*.whl")
    output(sys.executable, "-m", "venv", "--without-pip", tmp_path / "clean")
    python = tmp_path / "clean/bin/python"
    output(*pip, "--python", python, "install", wheel)
    # `uv tool install` and `pipx install` do the same, and put a link into PATH.
    linked = tmp_path / "bin/ssi"
    linked.parent.mkdir()
    linked.symlink_to(tmp_path / "clean/bin/ssi")
    alone = {"SSI_COLD": "1", "HOME": str(tmp_path), "PYTHONPATH": "", "PATH": "/usr/bin:/bin"}
    assert output(linked, "--version", **alone) == f"ssi {VERSION}\n"
    for shell, name in FILES.items():
        assert output(linked, "completion", "show", shell.value, **alone) == (
            FOLDER / name
        ).read_text(encoding="utf-8")
    assert (tmp_path / "clean/share/bash-completion/completions/ssi").exists()
    installed = {path.name for path in (tmp_path / "clean/share/man/man1").iterdir()}
    assert installed >= {path.name for path in MAN.iterdir()}
    page = (MAN / "ssi-run.1").read_text(encoding="utf-8")
    assert output(linked, "man", "--roff", "run", **alone) == page
    assert "Copy files" in output(linked, "cp", "--help", **alone)
