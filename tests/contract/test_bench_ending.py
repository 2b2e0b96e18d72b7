"""A signal ends a measurement, and what it made is removed nevertheless."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"

MEASURES = """
import sys, time
from ending import ending
ending.by_signals()
try:
    print("measures", flush=True)
    time.sleep(600)
finally:
    with ending.cleaning():
        print("cleans", flush=True)
        sys.stdin.readline()
        print("cleaned", flush=True)
print("goes on")
"""

ENDS_BY_ITSELF = """
import sys
from ending import ending
ending.by_signals()
with ending.cleaning():
    print("cleans", flush=True)
    sys.stdin.readline()
    print("cleaned", flush=True)
print("goes on")
"""


def program(text: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", text],
        cwd=BENCH,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read(running: subprocess.Popen[str], line: str) -> None:
    assert running.stdout is not None
    assert running.stdout.readline() == f"{line}\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_is_an_exit_and_a_second_one_does_not_break_off_the_clean_up(
    number: signal.Signals,
) -> None:
    with program(MEASURES) as running:
        read(running, "measures")
        running.send_signal(number)
        read(running, "cleans")
        running.send_signal(signal.SIGTERM)
        rest, errors = running.communicate("\n", timeout=60)
    assert (rest, errors, running.returncode) == ("cleaned\n", "", 128 + number)


def test_signal_during_the_clean_up_at_the_end_is_an_exit_once_that_is_done() -> None:
    with program(ENDS_BY_ITSELF) as running:
        read(running, "cleans")
        running.send_signal(signal.SIGTERM)
        rest, errors = running.communicate("\n", timeout=60)
    assert (rest, errors, running.returncode) == ("cleaned\n", "", 128 + signal.SIGTERM)
