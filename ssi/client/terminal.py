"""This process's terminal while a job has it: raw, its size passed on, restored at the end."""

from __future__ import annotations

import asyncio
import os
import signal
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ssi.model.job import Terminal


def terminal_of(descriptors: tuple[int, ...] = (0, 1, 2)) -> Terminal:
    """The size of the first of these that is a terminal, else 24 by 80; and TERM."""
    term = os.environ.get("TERM", "xterm")
    for descriptor in descriptors:
        with suppress(OSError):
            size = os.get_terminal_size(descriptor)
            if size.lines and size.columns:
                return Terminal(rows=size.lines, columns=size.columns, term=term)
    return Terminal(term=term)


def has_terminal() -> bool:
    """Whether keys and screen of this process are a terminal, and ours to use now.

    A process in the background would be stopped as soon as it touched it.
    """
    if not (os.isatty(0) and os.isatty(1)):
        return False
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:  # it controls another session, which has lent it to us
        return True


@contextmanager
def raw_terminal(descriptor: int) -> Iterator[None]:
    """Every key goes to the job, ^C and ^Z too; the terminal is as before on any way out."""
    if not os.isatty(descriptor):
        yield
        return
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor, termios.TCSADRAIN)  # what was typed ahead is kept
        yield
    finally:
        with suppress(termios.error):  # it has gone away
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
