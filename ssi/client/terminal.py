"""This process's terminal while a job has it: raw, its size passed on, restored at the end."""

from __future__ import annotations

import asyncio
import os
import signal
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ssi.model.job import Terminal


def terminal_of(descriptor: int) -> Terminal:
    """The size and TERM of the terminal at a descriptor."""
    size = os.get_terminal_size(descriptor)
    return Terminal(rows=size.lines, columns=size.columns, term=os.environ.get("TERM", "xterm"))


@contextmanager
def raw_terminal(descriptor: int) -> Iterator[None]:
    """Every key goes to the job, ^C and ^Z too; the terminal is as before on any way out."""
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextmanager
def on_resize(tell: Callable[[], None]) -> Iterator[None]:
    """Calls ``tell`` on the loop whenever the terminal changes its size."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGWINCH, tell)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)
