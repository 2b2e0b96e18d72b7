"""How long a lab takes: medians of seven rounds, from the cached Debian root.

Run it as root: ``python bench/lab.py``. The goal is three hosts in under 3 s.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from ending import ending

from ssi.lab import Lab

ROUNDS = 7
NAME = f"b{os.getpid()}"
COMMAND = "from ssi.cli.lab import app; app()"


def elapsed_s(step: Callable[[], object]) -> float:
    started = time.monotonic()
    step()
    return time.monotonic() - started


def command(*words: str) -> None:
    subprocess.run(
        [sys.executable, "-c", COMMAND, *words, "--name", NAME],
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=120,
    )


def kill_and_boot() -> None:
    host = Lab.get(NAME).host("n2")
    host.kill()
    host.boot()


STEPS: dict[str, Callable[[], object]] = {
    "three hosts up": lambda: Lab.up(name=NAME, size=3),
    "up again, nothing to do": lambda: Lab.up(name=NAME, size=3),
    "two more hosts": lambda: Lab.up(name=NAME, size=5),
    "one host killed and booted": kill_and_boot,
    "a command over ssh": lambda: Lab.get(NAME).host("n1").run("true"),
    "five hosts down": lambda: Lab.remove(NAME),
    "`ssi lab up 3`, whole command": lambda: command("up", "3"),
    "`ssi lab down`, whole command": lambda: command("down"),
}


def main() -> None:
    ending.by_signals()
    try:
        Lab.up(name=NAME, size=1).down()  # the first one may have to make the Debian root
        figures: dict[str, list[float]] = {step: [] for step in STEPS}
        for _ in range(ROUNDS):
            for name, step in STEPS.items():
                figures[name].append(elapsed_s(step))
    finally:
        with ending.cleaning():
            Lab.remove(NAME)
    print(f"{'step':<32} {'median s':>9} {'slowest s':>10}   ({ROUNDS} rounds)")
    for name, taken in figures.items():
        print(f"{name:<32} {statistics.median(taken):>9.2f} {max(taken):>10.2f}")


if __name__ == "__main__":
    main()
