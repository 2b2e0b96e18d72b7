"""What a node tells of itself when it is examined, and how a finding looks."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

UNKNOWN: Final = -1
"""In place of a number that a machine does not tell."""


def lacking(*, shfmt: bool, grammar: bool) -> tuple[str, ...]:
    """By name, what of both a shell does without: its structure of lines, and its colours."""
    return tuple(
        name for name, is_there in (("shfmt", shfmt), ("tree-sitter", grammar)) if not is_there
    )


class Limits(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a machine allows its processes; ``UNKNOWN`` where it does not tell.

    Attributes:
        open_files: Descriptors of one process.
        inotify_instances: Of one user.
        inotify_watches: Likewise.
        user_namespaces: That ordinary users may make.
        pipe_bytes: The largest pipe that the agent may make; ``UNKNOWN`` for any size.
    """

    open_files: int = UNKNOWN
    inotify_instances: int = UNKNOWN
    inotify_watches: int = UNKNOWN
    user_namespaces: int = UNKNOWN
    pipe_bytes: int = UNKNOWN


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A node as its agent finds it. Facts only: whoever asks judges them.

    Attributes:
        python: Version of the agent's Python.
        version: Of ssi.
        is_root: Whether the agent runs as root.
        kernel: Release, for instance ``6.18.1``.
        arch: Machine, for instance ``x86_64``.
        criu: Version; empty where there is none.
        freezer: ``v2`` or ``v1`` of cgroups; empty where a job cannot have a freezer.
        has_fuse: Whether ``/dev/fuse`` is there.
        has_pid_namespaces: Whether the kernel has them.
        images_path: Where images of jobs that move lie.
        images_in_memory: Whether that is a tmpfs.
        images_free_bytes: Room there.
        state_path: Where keys, records and logs lie.
        state_free_bytes: Room there.
        open_keys: Files with secrets that others may read, each with its mode: ``PATH 0644``.
        cordoned: Placement passes the node over.
        fusermount: Path of fusermount3, which an agent without root mounts with; maybe empty.
        mounts: How many nodes' files are mounted there.
        files_problem: Why none are; empty where nothing is wrong.
        tracks_writes: The kernel tells which pages were written to (soft-dirty).
        has_userfaultfd: The kernel lets another process bring pages.
        limits: What its processes may have.
        started_by: ``systemd`` or ``ssi up``; empty from an agent that does not tell.
        shell_lacks: Of what the shell there reads and colours lines with (``shfmt``,
            ``tree-sitter``), what was not deployed.
        gpus: Whose use by processes it reads: ``drm``, ``nvidia``.
        guards_memory: CRIU's daemon asks before it lets go of memory, so that nothing reads zeros
            where it is killed while that is on its way.
    """

    python: str
    version: str
    is_root: bool
    kernel: str
    arch: str
    criu: str = ""
    freezer: str = ""
    has_fuse: bool = False
    has_pid_namespaces: bool = False
    images_path: str = ""
    images_in_memory: bool = False
    images_free_bytes: int = 0
    state_path: str = ""
    state_free_bytes: int = 0
    open_keys: tuple[str, ...] = ()
    cordoned: bool = False
    fusermount: str = ""
    mounts: int = 0
    files_problem: str = ""
    tracks_writes: bool = False
    has_userfaultfd: bool = False
    limits: Limits = Limits()
    started_by: str = ""
    shell_lacks: tuple[str, ...] = ()
    gpus: tuple[str, ...] = ()
    guards_memory: bool = True


class Verdict(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One check of one machine.

    Attributes:
        where: Name of the node, or ``here``.
        check: What was looked at, in a word or two.
        text: What was found.
        remedy: The command that mends it; empty where nothing is to be done.
    """

    where: str
    check: str
    verdict: Verdict
    text: str
    remedy: str = ""


_INET_DIAG_CHANGED = (6, 16)
"""From this kernel on, CRIU before 4.2 cannot dump internet sockets (criu issue 2718)."""


def is_criu_too_old(criu: str, kernel: str) -> bool:
    """Whether that CRIU cannot dump internet sockets on that kernel."""
    return bool(criu) and _numbers(kernel) >= _INET_DIAG_CHANGED and _numbers(criu) < (4, 2)


def _numbers(version: str) -> tuple[int, int]:
    """The first two numbers of a version; zeros where there are none."""
    parts = version.split("-", maxsplit=1)[0].split(".")[:2]
    numbers = [int(part) if part.isdigit() else 0 for part in parts] + [0, 0]
    return numbers[0], numbers[1]
