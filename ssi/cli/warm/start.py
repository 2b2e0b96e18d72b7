"""Starts a warm process in the background, for the commands that come after this one."""

from __future__ import annotations

import os
import sys
from typing import Final, NoReturn

import ssi

SOCKET_VARIABLE: Final = "SSI_WARM_SOCKET"
"""How ``bin/ssi`` says where it would have liked to find one."""

PROGRAM: Final = (
    "import sys; root, path = sys.argv[1:]; root in sys.path or sys.path.insert(0, root); "
    "from ssi.cli.warm.server import main; main(path)"
)


def start_if_wanted() -> None:
    """Starts it where the stub missed one. The full program goes on at once."""
    path = os.environ.pop(SOCKET_VARIABLE, "")
    if not path:
        return
    child = os.fork()
    if child == 0:
        _detach(path)
    os.waitpid(child, 0)


def _detach(path: str) -> NoReturn:
    """Becomes a process that no terminal and no parent holds, and runs the warm process."""
    try:
        os.setsid()
        if os.fork() == 0:
            nothing = os.open(os.devnull, os.O_RDWR)
            for number in range(3):
                os.dup2(nothing, number)
            root = os.path.abspath(os.path.join(os.path.dirname(ssi.__file__), ".."))  # noqa: PTH100, PTH118, PTH120 - pathlib is not imported yet
            os.execv(sys.executable, [sys.executable, "-I", "-c", PROGRAM, root, path])  # noqa: S606 - words, no shell
    finally:
        os._exit(0)
