"""What `files.py` does on a host: each step on one mount after another, seconds as lines of JSON.

It needs nothing but Python. Its words are the rounds, what is in the names of the steps, and for
each mount its name and its root.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

MIB = 1 << 20
BIG_MIB = 256
READS = 2000
SMALL = 2000
PASSES = 5
REST_S = 1.2
"""After this the second for which attributes are believed is over."""

PLACE = "srv/bench"
GIT = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
"""No status writes the index, or the first mount would spare the next one its work."""

BLOCK = random.Random(1).randbytes(MIB)
Step = Callable[[Path], float]


def timed(work: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


def run(*words: str) -> None:
    """Without a limit, which whoever started us has: Python would look each 50 ms for its end."""
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=GIT)


def write(root: Path) -> float:
    path = own(root, "written")

    def work() -> None:
        with path.open("wb", buffering=0) as file:
            for _ in range(BIG_MIB):
                file.write(BLOCK)
            os.fsync(file.fileno())

    taken_s = timed(work)
    path.unlink()
    return taken_s


def opened_uncached(root: Path) -> int:
    descriptor = os.open(root / PLACE / "big", os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    return descriptor


def read(root: Path) -> float:
    descriptor = opened_uncached(root)

    def work() -> None:
        total = 0
        while data := os.read(descriptor, MIB):
            total += len(data)
        assert total == BIG_MIB * MIB

    taken_s = timed(work)
    os.close(descriptor)
    return taken_s


def read_at_random(root: Path) -> float:
    descriptor = opened_uncached(root)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
    draw = random.Random()
    offsets = [draw.randrange(BIG_MIB * 256) * 4096 for _ in range(READS)]
    taken_s = timed(lambda: [os.pread(descriptor, 4096, at) for at in offsets])
    os.close(descriptor)
    return taken_s


def own(root: Path, name: str) -> Path:
    """Of this mount alone, for two of them show the same files."""
    return root / PLACE / f"{name}-{root.name}"


def small(root: Path) -> list[Path]:
    folder = own(root, "small")
    return [folder / str(number) for number in range(SMALL)]


def create(root: Path) -> float:
    shutil.rmtree(own(root, "small"), ignore_errors=True)  # where the step of unlink is left out
    own(root, "small").mkdir()
    return timed(lambda: [path.write_bytes(BLOCK[:1024]) for path in small(root)])


def stat(root: Path) -> float:
    time.sleep(REST_S)
    return timed(lambda: [path.stat() for path in small(root)])


def stat_again(root: Path) -> float:
    """Asked for a moment before, so that the kernel has all of it, whoever's turn was first."""
    paths = small(root)
    for path in paths:
        path.stat()
    return timed(lambda: [path.stat() for _ in range(PASSES) for path in paths])


def read_small(root: Path) -> float:
    time.sleep(REST_S)
    for path in small(root):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    time.sleep(REST_S)
    return timed(lambda: [path.read_bytes() for path in small(root)])


def unlink(root: Path) -> float:
    def remove() -> None:
        for path in small(root):
            path.unlink()

    taken_s = timed(remove)
    own(root, "small").rmdir()
    return taken_s


def find(root: Path) -> float:
    time.sleep(REST_S)
    return timed(lambda: run("find", str(root / PLACE / "tree"), "-type", "f"))


def status(root: Path) -> float:
    tree = str(root / PLACE / "tree")
    return timed(lambda: run("git", "-c", "safe.directory=*", "-C", tree, "status", "--short"))


def status_rested(root: Path) -> float:
    time.sleep(REST_S)
    return status(root)


def start(root: Path) -> float:
    return timed(lambda: run("chroot", str(root), "/usr/bin/python3", "-I", "-c", "pass"))


def start_rested(root: Path) -> float:
    time.sleep(REST_S)
    return start(root)


def start_again(root: Path) -> float:
    """At once after another: between two steps the other mounts have had their turns."""
    start(root)
    return start(root)


def untar(root: Path) -> float:
    folder = own(root, "untar")
    folder.mkdir()
    taken_s = timed(lambda: run("tar", "xf", "/tmp/small.tar", "-C", str(folder)))
    shutil.rmtree(folder)
    return taken_s


STEPS: dict[str, Step] = {
    "write 256 MiB": write,
    "read 256 MiB": read,
    "read 2000 x 4 KiB at random": read_at_random,
    "create 2000 small files": create,
    "stat 2000": stat,
    "stat 2000, 1.2 s later": stat,
    "stat 2000, 5 times more": stat_again,
    "read 2000 small files": read_small,
    "unlink 2000": unlink,
    "find in 10,000 files": find,
    "git status, 10,000 files, rested": status_rested,
    "git status again": status,
    "start of python3, rested": start_rested,
    "start of python3 again": start_again,
    "untar of 5,000 files": untar,
}

ON_SMALL = {stat, stat_again, read_small, unlink}
"""What is done with the small files, for which they are made where that step is left out."""

CACHED = {create, stat, stat_again, unlink}
"""What is also done on mounts that believe for as long as the other side's do."""


def is_done(work: Step, name: str) -> bool:
    """Whether a step is done on a mount of that name."""
    if work in {start_again, start_rested}:
        return not name.startswith("sshfs")  # a program of it may not be executed there: EPERM
    return work in CACHED or " " not in name


def main() -> None:
    rounds, only, *words = sys.argv[1:]
    roots = dict(zip(words[::2], map(Path, words[1::2]), strict=True))
    for number in range(int(rounds)):
        for step, work in STEPS.items():
            if only not in step:
                continue
            for name in roots if number % 2 == 0 else reversed(roots):
                if is_done(work, name):
                    if work in ON_SMALL and not own(roots[name], "small").exists():
                        create(roots[name])
                    print(json.dumps([step, name, work(roots[name])]), flush=True)


if __name__ == "__main__":
    main()
