"""What a link of /proc leads to, taken hold of before it is looked at.

A process that runs has another thing under the number of a descriptor from one moment to the next:
a shell that has made a file has its pipe there again. Whoever opened ``/proc/PID/fd/N`` because
there was a file would open the pipe, and read what was written to somebody else. With ``O_PATH``
nothing is opened (open(2)); what is held so stays what it is, and is opened once it has shown to be
a regular file.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

Identity: TypeAlias = tuple[int, int]
"""Device and inode."""

# Whoever holds a lease of a file is not waited for, and no terminal becomes ours.
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@contextmanager
def pinned(link: str) -> Iterator[int]:
    """A descriptor of what a link leads to now, good for fstat(2) and :func:`reopened`.

    Raises:
        OSError: It leads nowhere, or may not be followed.
    """
    place = os.open(link, os.O_PATH | os.O_CLOEXEC)
    try:
        yield place
    finally:
        os.close(place)


def name_of(place: int) -> str:
    """The text that the link of it has: a path, or ``pipe:[17]``."""
    return os.readlink(f"/proc/self/fd/{place}")  # noqa: PTH115 - a text, not a path to be resolved


def reopened(place: int) -> int:
    """A descriptor to read a pinned regular file by; the caller's to close.

    Raises:
        OSError: It cannot be read.
    """
    return os.open(f"/proc/self/fd/{place}", _READ)


def status_of(link: str, identity: Identity | None = None) -> os.stat_result:
    """What a link leads to.

    Args:
        link: A link of /proc, or a path.
        identity: Of what it led to when it was seen; None: whatever is there.

    Raises:
        OSError: It cannot be looked at; ``FileNotFoundError``: or is another thing.
    """
    with pinned(link) as place:
        return _checked(place, link, identity)


def open_regular(link: str, identity: Identity | None = None) -> int:
    """A descriptor to read a regular file by; the caller's to close. Nothing else is opened.

    Args:
        link: As for :func:`status_of`.
        identity: Likewise.

    Raises:
        OSError: It cannot be read; ``FileNotFoundError``: or is another thing, or no file.
    """
    with pinned(link) as place:
        if not stat.S_ISREG(_checked(place, link, identity).st_mode):
            raise FileNotFoundError(errno.ENOENT, "it is no regular file any more", link)
        return reopened(place)


def identity_of(status: os.stat_result) -> Identity:
    """Of what was looked at."""
    return status.st_dev, status.st_ino


def _checked(place: int, link: str, identity: Identity | None) -> os.stat_result:
    status = os.fstat(place)
    if identity not in {None, identity_of(status)}:
        raise FileNotFoundError(errno.ENOENT, "another thing is there by now", link)
    return status
