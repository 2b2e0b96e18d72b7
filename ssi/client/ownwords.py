"""The words that start ``ssi`` once more, for faces that need its command line in a terminal."""

from __future__ import annotations

import os
import shutil
import sys


def own_words() -> list[str]:
    """The warm command where it is, else this very installation.

    On a node neither is a package that Python would find by itself: its path is told along.
    """
    found = shutil.which("ssi")
    if found and "SSI_COLD" not in os.environ:
        return [found]
    start = "import sys;sys.path[:]=sys.argv.pop(1).split(':');import ssi.cli.__main__"
    return [sys.executable, "-c", start, ":".join(sys.path)]
