"""From Enter to the next prompt for `true`: the shell of ssi beside bash over ``ssh -t``.

*local*: the shell runs on the node where its session is; *remote*: on this machine, which is none.
Goals: 15 ms local and 25 ms remote, medians; the first prompt within 0.5 s; from a key to its echo
in a remote ``cat`` 5 ms in 99 of 100. What a terminal takes by itself, through the kernel's worker
alone, stands beside it: a key of a remote one goes through three of these. Throughput of pipelines
over nodes is in ``pipes.py``.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial

from cluster import SSI, cluster
from measure import interleave, judge, need, show

LOCAL_MS = 15.0
REMOTE_MS = 25.0
FIRST_MS = 500.0
ROUNDS = 40
FIRST_ROUNDS = 7
ECHO_MS = 5.0
ECHO_ROUNDS = 500
KEY_PAUSE_S = 0.02
"""Nobody types while the last key is still on its way."""

LIMIT_S = 60.0

MARK = b"\x1b]133;B"
"""Ends every prompt of ssi (OSC 133); bash is given it in PS1."""

END = b"\x1b]133;D"
"""Says that the line has ended: the prompt after that is the next, and not the old one painted
anew with the last key."""

BASH = r"exec env PS1='\e]133;D;0\a$ \e]133;B\a' bash --norc --noediting -i"


class Typist:
    """A program at a terminal that shows a prompt."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        began_s = time.perf_counter()
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.execvpe(words[0], list(words), {**environment, "TERM": "xterm"})
        self._held = b""
        self._await(MARK)
        self.first_ms = (time.perf_counter() - began_s) * 1000

    def line_ms(self, line: bytes = b"true") -> float:
        """From Enter to the next prompt."""
        os.write(self._terminal, line)
        self._drain()
        began_s = time.perf_counter()
        os.write(self._terminal, b"\r")
        self._await(END)
        self._await(MARK)
        return (time.perf_counter() - began_s) * 1000

    def begin_cat(self) -> None:
        """``cat`` has the terminal afterwards."""
        os.write(self._terminal, b"sh -c 'echo u\"\"p; exec cat'\r")
        self._await(b"up\r\n")
        self._drain()

    def echo_ms(self) -> float:
        """From a key to its echo."""
        time.sleep(KEY_PAUSE_S)
        began_s = time.perf_counter()
        os.write(self._terminal, b"x")
        self._await(b"x")
        return (time.perf_counter() - began_s) * 1000

    def close(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._terminal)

    def _drain(self, quiet_s: float = 0.15) -> None:
        while select.select([self._terminal], [], [], quiet_s)[0]:
            os.read(self._terminal, 1 << 16)
        self._held = b""

    def _await(self, what: bytes) -> None:
        give_up_s = time.monotonic() + LIMIT_S
        while what not in self._held:
            if time.monotonic() > give_up_s:
                sys.exit(f"no prompt; seen: {self._held[-500:]!r}")
            if select.select([self._terminal], [], [], 0.2)[0]:
                self._held += os.read(self._terminal, 1 << 16)
        self._held = self._held.partition(what)[2]


def first_ms(words: Sequence[str], environment: Mapping[str, str]) -> float:
    typist = Typist(words, environment)
    typist.close()
    return typist.first_ms


def main() -> int:
    need("ssh")
    with cluster(2) as made:
        bash = ["ssh", "-F", made.multiplexed, "-t", "n1", BASH]
        on_node = ["ssh", "-F", made.multiplexed, "-t", "n1", "ssi"]
        shells = {
            "ssi, local": (on_node, made.environment),
            "ssi, remote": ([SSI, "--node", "n2"], made.environment),
            "bash over ssh -t": (bash, made.environment),
        }
        typists = {name: Typist(*how) for name, how in shells.items()}
        series = interleave({name: each.line_ms for name, each in typists.items()}, ROUNDS)
        programs = interleave(
            {
                f"{name}: /bin/true": partial(each.line_ms, b"/bin/true")
                for name, each in typists.items()
            },
            ROUNDS,
        )
        typists["one terminal, of this machine"] = Typist(["bash", "-c", BASH], made.environment)
        remote = {name: each for name, each in typists.items() if name != "ssi, local"}
        for each in remote.values():
            each.begin_cat()
        echoes = interleave({name: each.echo_ms for name, each in remote.items()}, ECHO_ROUNDS)
        for each in typists.values():
            each.close()
        starts = interleave(
            {name: partial(first_ms, *how) for name, how in shells.items()}, FIRST_ROUNDS
        )
    print("from Enter to the prompt (local: as seen from here, through ssh as bash is)")
    show({**series, **programs})
    print("\nfrom the start to the first prompt")
    show(starts)
    print("\nfrom a key to its echo in `cat` there")
    show(echoes)
    held = [
        judge("local", series["ssi, local"].median, LOCAL_MS, " ms"),
        judge("remote", series["ssi, remote"].median, REMOTE_MS, " ms"),
        judge("first prompt", starts["ssi, remote"].median, FIRST_MS, " ms"),
        judge("echo, p99", echoes["ssi, remote"].p99, ECHO_MS, " ms"),
    ]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
