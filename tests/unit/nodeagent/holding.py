"""A process that holds a file, in one way or another."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOT_ME = os.getuid() + 1

HOLDER = """
import mmap, os, sys
path, flags = sys.argv[1], getattr(os, sys.argv[2])
descriptor = os.open(path, flags)
if sys.argv[3] == "mapped":
    share = mmap.MAP_SHARED if flags == os.O_RDWR else mmap.MAP_PRIVATE
    access = mmap.PROT_READ | (mmap.PROT_WRITE if flags == os.O_RDWR else 0)
    memory = mmap.mmap(descriptor, 0, share, access)
    os.close(descriptor)
    del descriptor
print(flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(path: Path, flags: str, how: str = "open") -> Iterator[int]:
    command = [sys.executable, "-c", HOLDER, str(path), flags, how]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd="/", **pipes) as child:  # type: ignore[call-overload]
        child.stdout.readline()
        yield child.pid
        child.stdin.close()


def make_secret(folder: Path) -> Path:
    """A file that only its owner may read."""
    path = folder / "secret"
    path.write_text("precious\n")
    path.chmod(0o600)
    return path
