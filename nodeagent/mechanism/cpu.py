"""What this processor can do, as CRIU compares it: a job must not land where it would be killed.

Source: criu(8), ``cpuinfo dump`` and ``cpuinfo check``.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Final

IMAGE: Final = "cpuinfo.img"
CAPABILITIES: Final = "--cpu-cap=ins"
"""Instruction sets: a processor that lacks one that the source has is refused."""

TIMEOUT_S: Final = 10.0


def dump_cpu(criu: str) -> bytes:
    """This processor's image.

    Raises:
        OSError: CRIU cannot be run, or wrote none.
        subprocess.TimeoutExpired: It hangs.
    """
    with tempfile.TemporaryDirectory(prefix="ssi-cpu-") as directory:
        _run(criu, "dump", directory)
        return (Path(directory) / IMAGE).read_bytes()


def check_cpu(criu: str, image: bytes) -> str:
    """Why a job from a processor with that image cannot run here; empty where it can.

    Raises:
        OSError: CRIU cannot be run.
        subprocess.TimeoutExpired: It hangs.
    """
    with tempfile.TemporaryDirectory(prefix="ssi-cpu-") as directory:
        (Path(directory) / IMAGE).write_bytes(image)
        run = _run(criu, "check", directory)
    if run.returncode == 0:
        return ""
    errors = [line.strip() for line in run.stdout.splitlines() if "Error" in line]
    return errors[-1] if errors else f"criu cpuinfo check ended with {run.returncode}"


def _run(criu: str, deed: str, directory: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [criu, "cpuinfo", deed, "-D", directory, CAPABILITIES, "--no-default-config"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=TIMEOUT_S,
        check=False,
    )
