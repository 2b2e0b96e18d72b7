"""A job that leaves a trace of every step on the disk of the node that it is on, and what it shows.

A step is a symbolic link with the step's number and the time in its name: made by one system call,
so that no move ever finds it half done or open. All hosts of a lab have one clock. (The monotonic
clocks of a job do not serve: CRIU carries them on as though no time had passed.)
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.hosts.system import Ssi

DIRECTORY = "var/oracle"

PROGRAM = f"""
import os, sys, time
directory = "/{DIRECTORY}/" + sys.argv[1]
memory = os.urandom(1 << 20) * int(sys.argv[2])
step = 0
while True:
    try:
        os.symlink("-", f"{{directory}}/{{step}}-{{time.time_ns()}}")
    except FileNotFoundError:  # it may move at any moment, also right after it made the directory
        os.makedirs(directory, exist_ok=True)
        continue
    step += 1
    time.sleep(0.05)
"""


class Trace(NamedTuple):
    """One step of the job."""

    step: int
    at_ns: int
    node: str


@dataclass(frozen=True, slots=True)
class Oracle:
    """The traces of one job."""

    ssi: Ssi
    name: str
    memory_mib: int = 0

    @property
    def argv(self) -> list[str]:
        """The command of the job."""
        return ["python3", "-c", PROGRAM, self.name, str(self.memory_mib)]

    def traces(self) -> list[Trace]:
        """Those from before now, in the order of their times.

        A directory that is read while names come to it may show one and not another before it.
        """
        began_ns = time.time_ns()
        found = []
        for host in self.ssi.lab.hosts:
            if host.alive:
                for name in _names(Path(host.root, DIRECTORY, self.name)):
                    step, at_ns = name.split("-")
                    found.append(Trace(int(step), int(at_ns), host.name))
        return sorted((each for each in found if each.at_ns < began_ns), key=_time_of)

    def steps_on(self, node: str) -> int:
        """How many it did there."""
        return len(_names(Path(self.ssi.host(node).root, DIRECTORY, self.name)))

    def faults(self) -> list[str]:
        """Steps that were done twice, left out or overtaken by others."""
        traces = self.traces()
        return [
            f"{self.name}: step {trace.step} on {trace.node} in the place of {number}"
            for number, trace in enumerate(traces)
            if trace.step != number
        ][:3]


def _time_of(trace: Trace) -> int:
    return trace.at_ns


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
