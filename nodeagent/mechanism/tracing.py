"""System calls of a process, watched for a moment by strace(1) where that is installed."""

from __future__ import annotations

import asyncio
import shutil
from typing import Final

WATCHED_S: Final = 3.0
"""How long; a process that is traced runs many times slower."""

LONGEST: Final = 2000
"""Lines that are told."""

_OUTPUT_BYTES: Final = 4 * 1024 * 1024
_END_S: Final = 2.0


async def system_calls(pid: int, watched_s: float = WATCHED_S) -> list[str]:
    """What a process and all its threads asked of the kernel meanwhile, and what they got.

    Raises:
        FileNotFoundError: There is no strace here.
        PermissionError: The kernel does not let it be traced.
    """
    program = shutil.which("strace")
    if program is None:
        raise FileNotFoundError("strace is not installed")
    words = (program, "-f", "-q", "-tt", "-s", "80", "-p", str(pid))
    strace = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        limit=_OUTPUT_BYTES,
    )
    assert strace.stderr is not None
    told: list[str] = []
    try:
        async with asyncio.timeout(watched_s):
            while line := await strace.stderr.readline():
                told.append(line.decode(errors="backslashreplace").rstrip("\n"))
                if len(told) == LONGEST:
                    break
    except TimeoutError:
        pass  # it was watched for long enough
    finally:
        await _end(strace)
    if told and told[0].startswith("strace: ") and len(told) == 1:
        raise PermissionError(told[0].removeprefix("strace: "))
    return told


async def _end(strace: asyncio.subprocess.Process) -> None:
    """Lets go of what is traced: strace does so when it is told to end."""
    if strace.returncode is None:
        strace.terminate()
        try:
            async with asyncio.timeout(_END_S):
                await strace.wait()
        except TimeoutError:
            strace.kill()
            await strace.wait()
