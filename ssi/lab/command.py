"""Runs the machine's own programs (``ip``, ``ssh-keygen``, ...) and says how one failed."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from ssi.lab.errors import LabStepError

STEP_TIMEOUT_S = 20.0
"""No step of a lab takes longer than some tenths of a second on a sound machine."""

CLEAN_ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/root",
}
"""What hosts and steps see: nothing of the caller's secrets, nor of his language."""


def run_step(argv: Sequence[str], *, stdin: str = "", timeout_s: float = STEP_TIMEOUT_S) -> str:
    """The standard output of a program that succeeded.

    Raises:
        LabStepError: It failed, was missing, or took longer than ``timeout_s``.
    """
    step = " ".join(argv[:3])
    try:
        done = subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            env=dict(CLEAN_ENVIRONMENT),
        )
    except subprocess.TimeoutExpired as exc:
        raise LabStepError(step=step, reason=f"no end after {timeout_s:g} s") from exc
    except OSError as exc:
        raise LabStepError(step=step, reason=str(exc)) from exc
    if done.returncode != 0:
        reason = done.stderr.strip().replace("\n", "; ") or f"exit status {done.returncode}"
        raise LabStepError(step=step, reason=reason)
    return done.stdout
