"""The program that tells the structure of lines, where it is."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def shfmt() -> str | None:
    """The path of shfmt: as it was deployed with us, beside our own Python, else in PATH."""
    deployed = Path(__file__).parents[2] / "bin/shfmt"
    if deployed.exists():
        return str(deployed)
    own = Path(sys.executable).parent / "shfmt"
    return str(own) if own.exists() else shutil.which("shfmt")
