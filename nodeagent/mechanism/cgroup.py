"""One cgroup per job: frozen, accounted and killed as a whole; setsid(2) does not leave it.

Version 2 where it is mounted, else the freezer of version 1. Source: cgroups(7), the kernel's
``cgroup-v2.rst`` and ``freezer-subsystem.rst``.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Set
from contextlib import suppress
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)

PARENT: Final = "ssi"
_MODE: Final = 0o755
_MOUNTS: Final = Path("/proc/self/mountinfo")

LOOK_S: Final = 1.0
"""For how long it counts where cgroups were found: a short job asks three times."""

_looked: tuple[Path, float, list[Path]] = (Path(), 0.0, [])
"""In which file of mounts they were looked for last, when, and what was found."""


def make_for_job(gpid: int) -> str:
    """The directory of a job's own cgroup; empty where this machine lets us make none."""
    for root in _roots():
        directory = root / PARENT / f"job-{gpid}"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            # As all others are, whatever our umask: CRIU with the real ids of a job's owner looks
            # for the freezer by access(2), which asks for these.
            for made in (directory.parent, directory):
                made.chmod(_MODE)
        except OSError as exc:
            _log.info("event=no-cgroup path=%s reason=%s", directory, exc)
            continue
        return str(directory)
    return ""


def remove_of_job(gpid: int) -> bool:
    """Removes a job's cgroup if nothing is in it any more; whether it is gone."""
    gone = True
    for root in _roots():
        try:
            os.rmdir(f"{root}/{PARENT}/job-{gpid}")  # noqa: PTH106 - for each short job, everywhere
        except FileNotFoundError:
            continue
        except OSError:
            gone = False
    return gone


def remove_all_but(gpids: Set[int]) -> None:
    """Removes the empty cgroups of all other jobs: an agent died before it could."""
    for root in _roots():
        for directory in (root / PARENT).glob("job-*"):
            number = directory.name.removeprefix("job-")
            if number.isdigit() and int(number) not in gpids:
                with suppress(OSError):
                    directory.rmdir()


def freeze(directory: str) -> None:
    """Freezes all processes of a cgroup; they cannot notice it.

    Raises:
        OSError: The machine has no freezer there.
    """
    _write(Path(directory), v2="1", v1="FROZEN")


def thaw(directory: str) -> None:
    """Undoes :func:`freeze`.

    Raises:
        OSError: The machine has no freezer there.
    """
    _write(Path(directory), v2="0", v1="THAWED")


def is_frozen(directory: str) -> bool:
    """Whether a cgroup is frozen, or about to be."""
    for name, word in (
        ("cgroup.freeze", "1"),
        ("freezer.state", "FROZEN"),
        ("freezer.state", "FREEZING"),
    ):
        with suppress(OSError):
            if (Path(directory) / name).read_text(encoding="ascii").strip() == word:
                return True
    return False


def is_unified(directory: str) -> bool:
    """Whether it is of version 2, whose frozen processes can be dumped, restored and killed."""
    return (Path(directory) / "cgroup.freeze").exists()


def has_settled(directory: str) -> bool:
    """Whether every process of a frozen cgroup has really stopped by now."""
    with suppress(OSError):
        return "frozen 1" in (Path(directory) / "cgroup.events").read_text(encoding="ascii")
    with suppress(OSError):
        return (Path(directory) / "freezer.state").read_text(encoding="ascii").strip() == "FROZEN"
    return False


def processes(directory: str) -> list[int]:
    """The pids of all that is in a cgroup, as the caller sees them."""
    with suppress(OSError):
        listing = (Path(directory) / "cgroup.procs").read_text(encoding="ascii")
        return [int(pid) for pid in listing.split()]
    return []


def processes_of_job(gpid: int) -> list[int]:
    """The pids of all that is in a job's cgroup; none where it has no cgroup."""
    for root in _roots():
        if pids := processes(str(root / PARENT / f"job-{gpid}")):
            return pids
    return []


def freezer_version() -> str:
    """``v2`` or ``v1``, whichever a job would get here; empty where it would get none."""
    for root in _roots():
        directory = root / PARENT
        try:
            directory.mkdir(exist_ok=True)
        except OSError as exc:
            _log.info("event=no-cgroup path=%s reason=%s", directory, exc)
            continue
        return "v2" if (root / "cgroup.controllers").exists() else "v1"
    return ""


def _write(directory: Path, *, v2: str, v1: str) -> None:
    unified = directory / "cgroup.freeze"
    if unified.exists():
        unified.write_text(v2, encoding="ascii")
    else:
        (directory / "freezer.state").write_text(v1, encoding="ascii")


def _roots() -> list[Path]:
    """Where cgroups can be made, version 2 first; as it was a second ago at the most."""
    global _looked  # noqa: PLW0603 - of this process's one mount namespace
    now_s = time.monotonic()
    if _looked[0] != _MOUNTS or now_s - _looked[1] > LOOK_S:
        _looked = (_MOUNTS, now_s, _read_roots())
    return _looked[2]


def _read_roots() -> list[Path]:
    unified, freezers = [], []
    for line in _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines():
        left, _separator, right = line.partition(" - ")
        kind, _source, options = right.split(maxsplit=2)
        if kind == "cgroup2":
            unified.append(Path(left.split()[4]))
        elif kind == "cgroup" and "freezer" in options.split(","):
            freezers.append(Path(left.split()[4]))
    return [*unified, *freezers]
