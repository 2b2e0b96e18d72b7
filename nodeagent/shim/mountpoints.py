"""Places for mounts of a job where the node has nothing at that path.

Where the job's user could make a directory, one is made. Elsewhere the directory above is covered,
for this job, by one in memory that has all that was in it, and the place; it cannot be written to.
So nothing of root's is changed on the node for the sake of a job.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from nodeagent.mechanism import libc
from nodeagent.mechanism.libc import MS_BIND, MS_NODEV, MS_NOSUID, MS_RDONLY, MS_REC, MS_REMOUNT
from nodeagent.shim.messages import Account

COVER_LIMIT: Final = 1000
"""A directory with more entries is not covered: each costs a mount."""

_OURS: Final = "/run/ssi/cover"
"""Where the root of a job is put together; it is empty afterwards."""


def path_of(descriptor: int) -> str:
    """The path by which a mount is made of, or at, what a descriptor stands for."""
    return f"/proc/self/fd/{descriptor}"


def make_point(root: str, target: str, account: Account, source: int) -> int:
    """A descriptor of the place where a source is to be mounted.

    Args:
        root: Of the job's processes; empty: ours.
        target: Path within it.
        account: Whose job it is.
        source: A directory, or what is to be mounted on a file.

    Raises:
        OSError: There can be no such place.
    """
    try:
        return _open(root, target)
    except FileNotFoundError:
        pass
    above = _nearest(root, target)
    is_folder = stat.S_ISDIR(os.fstat(source).st_mode)
    try:
        if account.uid == 0 and not _is_everybodys(root, above):
            raise PermissionError
        with acting_as(account):
            _make(f"{root}{target}", is_folder=is_folder)
    except PermissionError:
        _cover(root + above, root + target, is_folder=is_folder)
    return _open(root, target)


def make_point_in_root(root: str, target: str) -> None:
    """There is a directory in another machine's root, for this job alone where that lacks it.

    Raises:
        OSError: There can be none.
    """
    if not Path(root + target).is_dir():
        _cover(f"{root}/", root + target, is_folder=True)


@contextmanager
def acting_as(account: Account) -> Iterator[None]:
    """What the block does with files is permitted to it as to that user."""
    if account.uid == 0:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    os.setgroups(account.groups)
    os.setegid(account.gid)
    os.seteuid(account.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def _open(root: str, target: str) -> int:
    directory = os.open(root or "/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return libc.open_in_root(directory, target)
    finally:
        os.close(directory)


def _nearest(root: str, target: str) -> str:
    """The directory above that is there."""
    above = target.rpartition("/")[0] or "/"
    while above != "/" and not Path(root + above).is_dir():
        above = above.rpartition("/")[0] or "/"
    return above


def _is_everybodys(root: str, folder: str) -> bool:
    """Whether a directory is like /tmp, or lies on another node, where root may leave things."""
    return bool(Path(root + folder).stat().st_mode & stat.S_IWOTH) or bool(root)


def _make(path: str, *, is_folder: bool) -> None:
    folder = Path(path) if is_folder else Path(path).parent
    before = os.umask(0o022)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not is_folder:
            Path(path).touch()
    finally:
        os.umask(before)


def _cover(folder: str, place: str, *, is_folder: bool) -> None:
    cover = _OURS if folder == "/" else folder
    below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _show_all(below, folder, cover, place)
    finally:
        os.close(below)
    _make(cover + place.removeprefix(folder.rstrip("/")), is_folder=is_folder)
    if folder == "/":
        libc.pivot_root(cover)
        cover = "/"
    libc.mount("none", cover, "none", MS_REMOUNT | MS_BIND | MS_RDONLY)


def _show_all(below: int, folder: str, cover: str, place: str) -> None:
    """Mounts the cover, with all entries of what it covers."""
    names = os.listdir(below)
    if len(names) > COVER_LIMIT:
        raise OSError(f"{folder} has {len(names)} entries and no {place}; make it there")
    status = os.fstat(below)
    Path(cover).mkdir(mode=0o700, exist_ok=True)
    libc.mount("ssi", cover, "tmpfs", MS_NOSUID | MS_NODEV, f"mode={status.st_mode & 0o7777:o}")
    os.chown(cover, status.st_uid, status.st_gid)
    # What holds the cover itself comes first: then it holds no copy of all others.
    for name in sorted(names, key=lambda name: name != "run"):
        _show(below, name, cover)


def _show(folder: int, name: str, cover: str) -> None:
    """An entry of the covered directory, in the one that covers it."""
    here = f"{cover}/{name}"
    mode = os.lstat(name, dir_fd=folder).st_mode
    if stat.S_ISLNK(mode):
        Path(here).symlink_to(os.readlink(name, dir_fd=folder))
        return
    _make(here, is_folder=stat.S_ISDIR(mode))
    libc.mount(f"{path_of(folder)}/{name}", here, "none", MS_BIND | MS_REC)
