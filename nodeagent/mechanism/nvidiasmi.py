"""What processes use of NVIDIA's GPUs, whose driver tells nothing in /proc: nvidia-smi does.

It samples for about a second, so it runs beside the agent, is asked only now and then, and is never
waited for. Source: nvidia-smi(1), ``pmon``.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ssi.model.counters import GpuUse

APART_S: Final = 5.0
"""Between the starts of two runs."""

PATIENCE_S: Final = 20.0
"""A run that takes longer is killed; a GPU that fell off the bus answers late or never."""

COMMAND: Final = ("nvidia-smi", "pmon", "-c", "1", "-s", "um")


def parse_pmon(text: str) -> dict[int, GpuUse]:
    """Use by pid. Columns are found by their titles, which differ between versions."""
    each: dict[tuple[int, str], GpuUse] = {}
    titles: Sequence[str] = ()
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["#"]:
            titles = titles or words[1:]
        elif len(words) >= len(titles) > 0:
            row = dict(zip(titles, words, strict=False))
            if row.get("pid", "").isdecimal():
                place = int(row["pid"]), row.get("gpu", "")
                before = each.get(place, GpuUse(0.0, 0))  # some are listed twice
                percent = max(before.percent, _number(row.get("sm", "")))
                memory = max(before.memory_bytes, _number(row.get("fb", "")) << 20)
                each[place] = GpuUse(percent, memory)
    used: dict[int, GpuUse] = {}
    for (pid, _gpu), (percent, memory) in each.items():
        before = used.get(pid, GpuUse(0.0, 0))
        used[pid] = GpuUse(before.percent + percent, before.memory_bytes + memory)
    return used


def _number(word: str) -> int:
    return int(word) if word.isdecimal() else 0


class NvidiaSmi:
    """Runs it now and then, where it is, and knows what it said last."""

    def __init__(
        self, command: Sequence[str] = COMMAND, device: Path = Path("/dev/nvidiactl")
    ) -> None:
        self._command = command
        self._device = device
        self._run: subprocess.Popen[str] | None = None
        self._began_s = float("-inf")
        self._last: dict[int, GpuUse] = {}

    def is_there(self) -> bool:
        """Whether there is such a GPU, and the program."""
        return self._device.exists() and shutil.which(self._command[0]) is not None

    def read(self) -> dict[int, GpuUse]:
        """What was said last; begins another run where it is time. Waits for nothing."""
        now_s = time.monotonic()
        run = self._run
        if run is not None and run.poll() is None:
            if now_s - self._began_s > PATIENCE_S:
                run.kill()
        elif run is not None:
            output = run.communicate()[0]  # it has ended: this reads what the pipe holds
            self._last = parse_pmon(output) if run.returncode == 0 else {}
            self._run = None
        if self._run is None and now_s - self._began_s >= APART_S:
            self._began_s = now_s
            self._run = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                errors="replace",
            )
        return self._last
