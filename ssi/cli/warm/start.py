"""Starts a warm process in the background, for the commands that come after this one."""

from __future__ import annotations

import os
import sys
from typing import Final, NoReturn

SOCKET_VARIABLE: Final = "SSI_WARM_SOCKET"
"""How ``bin/ssi`` says where it would have liked to find one."""

PROGRAM: Final = (
    "import sys; sys.path[:] = sys.argv[1].split(':'); "
    "from ssi.cli.warm.server import main; main(sys.argv[2])"
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
            arguments = ["-I", "-c", PROGRAM, ":".join(sys.path), path]
            os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - words, no shell
    finally:
        os._exit(0)
