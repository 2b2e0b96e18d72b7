"""Names in directories that a user may own, used by root: no link of theirs leads it elsewhere.

A user who owns a directory can put a link in the place of anything in it, at any moment. So a path
is walked from the root, one directory after the other, and what is done is done in the directory
that was reached. A link is followed where it is root's, or where it leads to what its own owner
owns. Source: path_resolution(7), symlink(7), openat(2).
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from nodeagent.mechanism.pinned import Identity, identity_of

MOST_LINKS: Final = 40
"""As the kernel follows at most. Source: path_resolution(7)."""

_log: Final = logging.getLogger(__name__)
_PLACE: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def parent_of(path: str) -> Iterator[tuple[int, str]]:
    """A descriptor of the directory that the last name of an absolute path is in, and that name.

    Raises:
        OSError: There is no such directory; ``ELOOP``: a link of a user leads to what is not
            theirs.
    """
    folder, _, name = path.rpartition("/")
    with directory_at(folder) as descriptor:
        yield descriptor, name


@contextmanager
def directory_at(path: str) -> Iterator[int]:
    """A descriptor of a directory, as :func:`parent_of`."""
    descriptor = _walk(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def remove(path: str, identity: Identity | None = None) -> None:
    """Removes a file; one that is gone, or is where a link of a user leads, is left alone.

    Args:
        path: Its absolute path.
        identity: What it has to be still, else it is left alone, too; None: whatever is there.
    """
    try:
        with parent_of(path) as (folder, name):
            if identity is not None:
                there = identity_of(os.stat(name, dir_fd=folder, follow_symlinks=False))
                if there != identity:
                    _log.warning("event=not-removed path=%s reason=it is another file", path)
                    return
            os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
    except OSError as exc:
        _log.warning("event=not-removed path=%s reason=%s", path, exc.strerror)


def remove_directory(path: str) -> None:
    """Removes a directory, likewise; one that is not empty is in use."""
    with suppress(OSError), parent_of(path) as (folder, name):
        os.rmdir(name, dir_fd=folder)


def _walk(path: str) -> int:
    here = os.open("/", _PLACE)
    # A number among the names: what was reached by then has to be that user's.
    ahead: deque[str | int] = deque(path.split("/"))
    links = 0
    try:
        while ahead:
            step = ahead.popleft()
            if isinstance(step, int):
                if os.fstat(here).st_uid != step:
                    raise OSError(errno.ELOOP, "a link of a user leads to what is not theirs", path)
                continue
            if step in {"", "."}:
                continue
            found = os.open(step, _PLACE, dir_fd=here)
            status = os.fstat(found)
            if stat.S_ISLNK(status.st_mode):
                links += 1
                target = _target(found)
                if links > MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                if status.st_uid != 0:
                    ahead.appendleft(status.st_uid)
                ahead.extendleft(reversed(target.split("/")))
                if not target.startswith("/"):
                    continue
                found = os.open("/", _PLACE)
            elif not stat.S_ISDIR(status.st_mode):
                os.close(found)
                raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
            os.close(here)
            here = found
    except OSError:
        os.close(here)
        raise
    return here


def _target(link: int) -> str:
    try:
        return os.readlink("", dir_fd=link)
    finally:
        os.close(link)
