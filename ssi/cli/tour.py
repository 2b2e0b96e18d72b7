"""``ssi tour``: ssi shown at work on a lab of three hosts, every command as one would type it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import typer

from ssi.cli.alarm import limited
from ssi.cli.settings import wants_colour
from ssi.lab.lab import DEFAULT_NAME, Lab
from ssi.model.errors import SsiError
from ssi.view.colour import paint

HOSTS: Final = ("n1", "n2", "n3")
FOLDER: Final = "/srv/tour"
NUMBERS: Final = f"{FOLDER}/numbers.txt"
"""The file that is made on the spot and compressed."""

XZ: Final = ("xz", "--threads=1", "-2", "--keep", "--force")
COMPRESSION: Final = (*XZ, NUMBERS)
"""The job that moves."""

STEP_TIMEOUT_S: Final = 300.0


@dataclass(eq=False, kw_only=True)
class TourFailed(SsiError):
    """A command of the tour did not do what it should."""

    word = "tour-failed"
    command: str
    reason: str

    def what(self) -> str:
        return f"the tour stopped at `{self.command}`: {self.reason}"

    def advice(self) -> str:
        return "`ssi lab down` removes the lab; `ssi tour` begins again"


def tour(
    size_mb: Annotated[int, typer.Option("--size", min=8, help="Of the file, in MB.")] = 128,
    down: Annotated[
        bool, typer.Option("--down", help="Remove the lab at the end instead of leaving it.")
    ] = False,
) -> None:
    """Show ssi at work: three hosts, one process table, a program moved while it works."""
    with limited("the tour", "show its commands", "ssi tour"):
        _Tour(size_mb=size_mb, down=down).go()


@dataclass(slots=True, kw_only=True)
class _Tour:
    size_mb: int
    down: bool
    _began_s: float = field(default_factory=time.monotonic)

    def go(self) -> None:
        self._title("Three Linux hosts on this machine, each with its own sshd")
        self._ssi("lab", "up", "3")
        self._title("Make one computer of them: agents go there over SSH")
        self._ssi("up", "n1..n3")
        self._ssi("nodes")
        self._title("All processes of all nodes, each with a name of its own (the first lines)")
        self._ssi("ps", "--sort", "-rss", show_lines=9)
        self._clear()
        reference = self._prepare()
        gpid = self._work()
        self._compare(gpid, reference)
        self._look_from_elsewhere()
        self._kill()
        self._farewell()

    def _clear(self) -> None:
        """What an earlier tour left is gone: a move refuses where another file has the name of one.

        One that was interrupted left its job, too, which may be stopped.
        """
        jobs = [str(job["gpid"]) for job in self._jobs() if is_left_over(job)]
        lab = Lab.get(os.environ.get("SSI_LAB", DEFAULT_NAME))
        hosts = [name for name in HOSTS if (lab.host(name).root / FOLDER[1:]).exists()]
        if not jobs and not hosts:
            return
        self._title("An earlier tour was here: what it left is removed")
        for gpid in jobs:
            self._ssi("kill", "-KILL", gpid, expect=None)  # it may just end by itself
            self._ssi("wait", gpid, expect=None)
        for name in hosts:
            self._ssi("lab", "ssh", name, "--", "rm", "-r", FOLDER)

    def _prepare(self) -> str:
        self._title(f"A file of {self.size_mb} MB on n1, and what xz makes of it undisturbed")
        make = f"mkdir -p {FOLDER} && seq 1 99999999 | head -c {self.size_mb}000000 > {NUMBERS}"
        self._ssi("run", "-n", "n1", "--", "sh", "-c", make)
        began_s = time.monotonic()
        compress = f"{shlex.join(XZ)} --stdout {NUMBERS} | sha256sum"
        digest = self._ssi("run", "-n", "n1", "--", "sh", "-c", compress).split()[0]
        self._say(f"that took {time.monotonic() - began_s:.1f} s of xz")
        return digest

    def _work(self) -> str:
        self._title("Now the same in the background; it is stopped, goes on, and moves twice")
        gpid = self._ssi("run", "-n", "n1", "--detach", "--", *COMPRESSION).strip()
        self._ssi("stop", gpid)
        self._ssi("jobs")
        self._ssi("cont", gpid)
        self._ssi("migrate", gpid, "n2")
        self._ssi("ps", "--jobs")
        self._ssi("migrate", gpid, "n3")
        self._ssi("jobs")
        self._ssi("wait", gpid)
        return gpid

    def _compare(self, gpid: str, reference: str) -> None:
        self._title("It ended on n3. Is the result the same as of the undisturbed run?")
        result = self._ssi("run", "-n", "n3", "--", "sha256sum", f"{NUMBERS}.xz").split()[0]
        if result != reference:
            reason = f"the moved run made {result}, the undisturbed one {reference}"
            raise TourFailed(command=f"job {gpid}", reason=reason)
        self._say("the same, byte for byte")

    def _look_from_elsewhere(self) -> None:
        self._title("Files of every node on every node, for any program; here those of n3 on n1")
        if not Path("/dev/fuse").exists():
            self._say("not here: this machine has no /dev/fuse (`modprobe fuse` gives it one)")
            return
        self._ssi("run", "-n", "n1", "--", "ls", "-l", f"/ssi/n/n3{FOLDER}")

    def _kill(self) -> None:
        self._title("Kill works anywhere, and tells how it ended: 143 is 128 + SIGTERM")
        gpid = self._ssi("run", "-n", "n2", "--detach", "--", "sleep", "1000").strip()
        self._ssi("kill", gpid)
        self._ssi("wait", gpid, expect=143)

    def _farewell(self) -> None:
        self._say("")
        self._say(f"That was all, in {time.monotonic() - self._began_s:.0f} s.")
        if self.down:
            self._ssi("down", "--yes", "--force")
            self._ssi("lab", "down")
            return
        self._say("The hosts are still up. Try:")
        for command, what in (
            ("ssi ps --tree", "the processes of all nodes as trees"),
            ("ssi run -- hostname", "on the least loaded node"),
            ("ssi run -n n2 -t -- bash", "a shell there, as ssh -t gives"),
            ("ssi run -n n1 -d -- sleep 600", "something to move: `ssi migrate JOB n3`"),
            ("ssi lab kill n3; ssi ps", "what a dead machine looks like"),
            ("ssi lab down", "removes the hosts and all that is in them"),
        ):
            self._say(f"  {command:34} {what}")
        self._say("Your own machines: `ssi up HOST...`, with the names that ssh knows them by.")

    def _jobs(self) -> list[dict[str, object]]:
        line = ("jobs", "--json")
        status, output = self._run(*line)
        if status != 0:
            raise _failed(line, f"exit status {status}")
        jobs: list[dict[str, object]] = json.loads(output)
        return jobs

    def _ssi(self, *words: str, expect: int | None = 0, show_lines: int | None = None) -> str:
        """Runs a command as a person would; shows it and what it prints, which it returns.

        Args:
            words: Of the command.
            expect: Its exit status; None: any.
            show_lines: How much of what it prints is shown; None: all.

        Raises:
            TourFailed: It ended otherwise, or not in time.
        """
        self._say(f"\n$ {_line(words)}")
        status, output = self._run(*words)
        lines = output.splitlines()
        for shown in lines[:show_lines]:
            print(shown)
        if show_lines is not None and len(lines) > show_lines:
            print(f"... {len(lines) - show_lines} more")
        sys.stdout.flush()
        if expect not in (None, status):
            raise _failed(words, f"exit status {status}")
        return output

    def _run(self, *words: str) -> tuple[int, str]:
        try:
            run = subprocess.run(
                [sys.executable, "-m", "ssi.cli", *words],
                env={**os.environ, "SSI_ROOT": "local"},  # nobody expects this machine's files
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                timeout=STEP_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise _failed(words, f"no end after {STEP_TIMEOUT_S:.0f} s") from exc
        return run.returncode, run.stdout.decode(errors="replace")

    @staticmethod
    def _title(text: str) -> None:
        title = paint(f"== {text}", "bold" if wants_colour(sys.stdout) else "")
        print(f"\n{title}", flush=True)

    @staticmethod
    def _say(text: str) -> None:
        print(text, flush=True)


def is_left_over(job: Mapping[str, object]) -> bool:
    """Whether a job, as `ssi jobs --json` shows it, is one that an interrupted tour left behind."""
    return job["args"] == [*COMPRESSION] and job["ended_at_s"] is None


def _line(words: Sequence[str]) -> str:
    return shlex.join(("ssi", *words))


def _failed(words: Sequence[str], reason: str) -> TourFailed:
    return TourFailed(command=_line(words), reason=reason)
