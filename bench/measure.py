"""Takes turns between what is measured, and shows medians side by side.

Machines drift: what runs in turns meets the same weather, what runs one after another does not.
"""

from __future__ import annotations

import math
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

ROUNDS = 15
TIMEOUT_S = 120

SETTLE_S = 0.2
"""Between two steps: the processes of the one before are still ending on the hosts."""

Step = Callable[[], float]
"""Does something once; how long it took in ms."""


@dataclass(slots=True)
class Series:
    """What was taken of one thing, a value per round."""

    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def p99(self) -> float:
        """What 99 of 100 do not exceed."""
        return sorted(self.values)[max(0, math.ceil(len(self.values) * 0.99) - 1)]


def interleave(steps: Mapping[str, Step], rounds: int = ROUNDS) -> dict[str, Series]:
    """Every step once untaken, then in turns for so many rounds."""
    assert rounds >= 7, "too few for a median"
    for step in steps.values():
        step()
    series = {name: Series() for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            series[name].values.append(step())
    return series


def command_ms(
    words: Sequence[str], environment: Mapping[str, str] | None = None, lines: int = 0
) -> float:
    """How long a command takes, which must succeed and print so many lines at least."""
    elapsed_ms, output = timed_run(words, environment)
    if output.count(b"\n") < lines:
        sys.exit(f"{words} printed fewer than {lines} lines: {output.decode()}")
    return elapsed_ms


def timed_run(
    words: Sequence[str], environment: Mapping[str, str] | None = None, given: bytes = b""
) -> tuple[float, bytes]:
    """How long a command takes, in ms, which must succeed, and what it prints.

    :mod:`subprocess` looks ever more rarely, in the end each 50 ms, whether a program that it gives
    a limit of time has ended; so the limit is an alarm.
    """
    before = signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(TIMEOUT_S)
    try:
        started = time.perf_counter()
        done = subprocess.run(
            words,
            env=environment,
            stdin=None if given else subprocess.DEVNULL,
            input=given or None,
            capture_output=True,
            check=False,
        )
        elapsed_ms = (time.perf_counter() - started) * 1000
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    if done.returncode:
        sys.exit(f"{words} failed ({done.returncode}): {done.stderr.decode()}")
    return elapsed_ms, done.stdout


def _give_up(_number: int, _frame: object) -> NoReturn:
    raise TimeoutError(f"it took longer than {TIMEOUT_S} s")


def show(series: Mapping[str, Series], unit: str = "ms") -> None:
    """A line for each with its median and its extremes."""
    width = max(map(len, series))
    print(f"{'':{width}}  {'median':>9} {'min':>9} {'max':>9}  {unit}")
    for name, taken in series.items():
        low, high = min(taken.values), max(taken.values)
        print(f"{name:{width}}  {taken.median:9.2f} {low:9.2f} {high:9.2f}")


def judge(name: str, value: float, bar: float, unit: str = "") -> bool:
    """Says whether a figure holds its bar."""
    holds = value <= bar
    print(f"{name}: {value:.3g}{unit}, bar {bar:g}{unit}: {'holds' if holds else 'MISSED'}")
    return holds


def ratio(ours: Series, theirs: Series) -> float:
    """The median of ours to that of theirs."""
    return ours.median / theirs.median


def need(*programs: str) -> None:
    """Ends with the name of what is missing."""
    packages = {"ssh": "openssh-client"}
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        names = " ".join(packages.get(program, program) for program in missing)
        sys.exit(f"{', '.join(missing)} is missing: apt-get install {names}")
