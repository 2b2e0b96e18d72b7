"""A whole system for tests: a lab of its own with agents on it, and the commands of one user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssi.lab import Host, Lab
from tests.hosts.forked import may_be_forked, run_forked

SLOWER = float(os.environ.get("SSI_TESTS_SLOWER", "1"))
"""By how much this machine is slower than any that people use: an emulated one."""

COMMAND_TIMEOUT_S = 120.0 * SLOWER

PATIENCE_S = 60.0 * SLOWER
"""How long is waited for what must come. It is no claim about speed: what is quick on an idle
machine takes many times as long on a busy one. Speed is claimed in ``bench/``."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Ssi:
    """The ``ssi`` command of one user of this machine, whose files are in a directory of the test.

    Attributes:
        lab: The hosts that it knows by name.
        config: Its key and its roster.
    """

    lab: Lab
    config: Path

    @property
    def environment(self) -> dict[str, str]:
        """Of each command. Without the warm process, so that a test runs the code of the tree."""
        return {
            **os.environ,
            "SSI_CONFIG_DIR": str(self.config),
            "SSI_LAB": self.lab.name,
            "SSI_COLD": "1",
            "SSI_ROOT": "local",  # else each job would see files of this machine
        }

    def words(self, *words: str) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "ssi.cli", *words]

    def __call__(
        self, *words: str, stdin: bytes = b"", timeout_s: float = COMMAND_TIMEOUT_S
    ) -> Result:
        """Runs a command to its end."""
        if may_be_forked(words):
            run = run_forked(words, self.environment, stdin, timeout_s)
        else:
            run = subprocess.run(
                self.words(*words),
                env=self.environment,
                input=stdin,
                capture_output=True,
                timeout=timeout_s,
                check=False,
            )
        return Result(run.returncode, run.stdout.decode(), run.stderr.decode())

    def ok(self, *words: str, stdin: bytes = b"") -> str:
        """What a command prints that must not fail."""
        result = self(*words, stdin=stdin)
        assert result.status == 0, (words, result)
        return result.out

    def json(self, *words: str) -> Any:  # Any: whatever the command promises
        """What a command says with ``--json``, also where a node did not answer (4)."""
        result = self(*words, "--json")
        assert result.status in {0, 4}, (words, result)
        return json.loads(result.out)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Starts a command whose pipes the test holds."""
        return subprocess.Popen(
            self.words(*words),
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def detached(self, node: str, *argv: str) -> str:
        """Starts a job that goes on by itself; its gpid."""
        gpid = self.ok("run", "-n", node, "--detach", "--", *argv)
        assert gpid.strip().isdigit(), gpid
        return gpid.strip()

    def job(self, gpid: str) -> dict[str, Any]:
        """The row of a job; ``absent`` is its state while no node that answers has it."""
        rows = self.json("jobs")
        return next((row for row in rows if str(row["gpid"]) == gpid), {"state": "absent"})

    def states(self) -> dict[str, str]:
        """The state of each node as this machine's agent sees it."""
        return {row["name"]: row["state"] for row in self.json("nodes")}

    def host(self, name: str) -> Host:
        """A host of the lab."""
        return self.lab.host(name)


def eventually(
    happened: Callable[[], object],
    *,
    what: str,
    within_s: float = PATIENCE_S,
    every_s: float = 0.1,
) -> float:
    """Waits until something is so, and asserts that it came in time; after how long it did."""
    began_s = time.monotonic()
    while not happened():
        elapsed_s = time.monotonic() - began_s
        assert elapsed_s < within_s, f"{what}: not within {within_s} s"
        time.sleep(every_s)
    return time.monotonic() - began_s


def pid_of(host: Host, name: str) -> int:
    """Pid of the agent or keeper of a host, as the host sees it: ``agent`` or ``keeper``."""
    return int(Path(host.root, "run/ssi", f"{name}.pid").read_text(encoding="ascii").split()[0])
