"""A user at the terminal of a job, and the programs that wait for the keys."""

from __future__ import annotations

import time
from dataclasses import dataclass

from nodeagent.shim import messages as m
from nodeagent.shim.streammessages import (
    Resize,
)
from ssi.model.job import Terminal
from tests.hosts.pair import GO, Pair
from tests.hosts.shim_client import ENVIRONMENT, ROOT, ShimClient
from tests.hosts.system import PATIENCE_S

SIZE = Terminal(rows=24, columns=80)

HOLDER = """
import os, signal, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGCONT, lambda *_: os.write(1, b"on\\n"))
os.write(1, b"up\\n")
while True:
    time.sleep(0.05)
"""
"""Keeps the terminal until a key ends it. The child of an interactive shell has the terminal before
it is executed and before it is continued, which the echo of the line does not prove: that comes
while keys are still the shell's own. And it has no children: dash, stopped while it starts one by
vfork(2), is never seen to stop."""

HOLD = b'python3 -c "$HOLDER"'

SHELL = {**ENVIRONMENT, "PS1": "$ ", "HISTFILE": "", "HOLDER": HOLDER}

RAW = """
import os, sys, termios, tty
tty.setraw(0)
print("raw", end="", flush=True)
while (key := os.read(0, 1)) != b"q":
    os.write(1, b"<" + key + b">")
"""

AWAIT_GO = f"""
import os, time
while not os.path.exists("{GO}"): time.sleep(0.01)
"""


@dataclass
class Typist:
    """A user at the terminal of a job, who has seen everything up to a byte of its output."""

    pair: Pair
    shim: ShimClient
    typed: int = 0
    seen: int = 0
    moves: int = 0

    def start(self, *argv: str, account: m.Account = ROOT, term: str = "dumb") -> None:
        self.shim.start(*argv, account=account, environment={**SHELL, "TERM": term}, terminal=SIZE)

    def type(self, keys: bytes) -> None:
        deadline = time.monotonic() + PATIENCE_S
        wanted = self.typed + len(keys)
        while self.typed < wanted:
            assert time.monotonic() < deadline
            accepted = self.shim.write(keys[self.typed - wanted :], self.typed, wait_s=1)
            self.typed = accepted.offset

    def see(self, what: bytes) -> bytes:
        """What is shown from where the user looked last, up to and with ``what``."""
        shown = self.shim.read_until(what, offset=self.seen)
        shown = shown[: shown.index(what) + len(what)]
        self.seen += len(shown)
        return shown

    def see_rest(self) -> bytes:
        return self.shim.read_all(offset=self.seen)

    def run(self, line: str, until: bytes) -> bytes:
        """What a shell answers to a line, without its echo."""
        self.type(line.encode() + b"\r")
        self.see(line.encode() + b"\r\n")
        return self.see(until)

    def hold(self) -> None:
        """Runs a command in the foreground; what is typed next is the command's."""
        self.type(HOLD + b"\r")
        self.see(b"up\r\n")

    def let_go(self) -> None:
        """What waits goes on, wherever it is."""
        self.pair.let_go()

    def made_bytes(self) -> int:
        """How much the job has written so far that its shim has taken."""
        return self.shim.read(offset=1 << 30, wait_s=0, peek=True).offset

    def resize(self, rows: int, columns: int) -> None:
        self.shim.ask(Resize(terminal=Terminal(rows=rows, columns=columns)), m.Ok)

    def move(self, times: int = 1) -> None:
        for _ in range(times):
            self.shim = self.pair.move(self.shim, back=self.moves % 2 == 1)
            self.moves += 1
