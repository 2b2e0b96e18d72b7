"""The files of this machine. Its paths are bytes, which pathlib does not take."""

# ruff: noqa: PTH101, PTH102, PTH104, PTH108, PTH115, PTH118, PTH211

from __future__ import annotations

import asyncio
import errno
import fcntl
import grp
import hashlib
import os
import pwd
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Final

from ssi.client.files.place import last_name
from ssi.client.files.tree import CHUNK_BYTES, SMALL_BYTES, Attributes, Change, OpenFile

_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SLOW_BYTES: Final = 4 * CHUNK_BYTES


class LocalFile:
    """An open file of this machine; see :class:`~ssi.client.files.tree.OpenFile`."""

    def __init__(self, descriptor: int, *, ahead: bool = False) -> None:
        self._descriptor = descriptor
        self.attributes = attributes_of(os.fstat(descriptor))
        self.content: bytes | None = None
        if ahead and self.attributes.size <= SMALL_BYTES:
            data = os.pread(descriptor, SMALL_BYTES + 1, 0)
            self.content = data if len(data) == self.attributes.size else None

    async def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, offset)

    async def write(self, offset: int, data: bytes | memoryview) -> None:
        view, written = memoryview(data), 0
        while written < len(view):
            written += os.pwrite(self._descriptor, view[written:], offset + written)

    async def digests(self, offset: int, size: int) -> list[bytes]:
        return await asyncio.to_thread(self._digests, offset, size)

    def _digests(self, offset: int, size: int) -> list[bytes]:
        digests, end = [], offset + size
        while offset < end:
            chunk = os.pread(self._descriptor, min(CHUNK_BYTES, end - offset), offset)
            if not chunk:
                break
            digests.append(hashlib.sha256(chunk).digest())
            offset += CHUNK_BYTES
        return digests

    async def holds(self, offset: int, data: bytes | memoryview) -> bool:
        return os.pread(self._descriptor, len(data), offset) == data

    async def next_data(self, offset: int) -> tuple[int, int] | None:
        try:
            start = os.lseek(self._descriptor, offset, os.SEEK_DATA)
            return start, os.lseek(self._descriptor, start, os.SEEK_HOLE)
        except OSError as exc:
            if exc.errno == errno.ENXIO:
                return None
            raise

    async def resize(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    async def change(self, change: Change) -> None:
        _change(self._descriptor, os.fstat(self._descriptor), change)

    async def look(self) -> Attributes:
        return attributes_of(os.fstat(self._descriptor))

    async def lock(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    async def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class LocalTree:
    """All files of this machine; see :class:`~ssi.client.files.tree.Tree`.

    Args:
        written: The name of the node that this machine is, where somebody named it.
    """

    node = ""

    def __init__(self, written: str = "") -> None:
        self.written = written
        account = pwd.getpwuid(os.geteuid())
        self.user = account.pw_name
        self.home = os.fsencode(account.pw_dir)

    def knows(self, user: str, group: str) -> tuple[bool, bool]:
        return _has(pwd.getpwnam, user), _has(grp.getgrnam, group)

    async def resolve(self, path: bytes, *, follow: bool) -> bytes:
        if follow or not last_name(path):
            return os.path.realpath(path)
        folder, name = os.path.split(path.rstrip(b"/"))
        return os.path.join(os.path.realpath(folder or b"."), name)

    async def look(self, path: bytes) -> Attributes:
        return attributes_of(os.lstat(path))

    async def list(self, path: bytes) -> list[tuple[bytes, Attributes]]:
        found = []
        with os.scandir(path) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    found.append((entry.name, attributes_of(entry.stat(follow_symlinks=False))))
        return found

    async def read_link(self, path: bytes) -> bytes:
        return os.readlink(path)

    async def open(self, path: bytes, *, ahead: bool = False) -> OpenFile:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
        descriptor = os.open(path, flags)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))
            return LocalFile(descriptor, ahead=ahead)
        except OSError:
            os.close(descriptor)
            raise

    async def create(self, path: bytes) -> OpenFile:
        return LocalFile(os.open(path, _NEW, 0o600))

    async def reopen(self, path: bytes) -> OpenFile:
        return LocalFile(os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK))

    async def put(self, path: bytes, data: bytes, change: Change, *, exclusive: bool) -> None:
        temporary = temporary_beside(path, secrets.token_hex(4))
        descriptor = os.open(temporary, _NEW, 0o600)
        try:
            file = LocalFile(descriptor)
            await file.write(0, data)
            if os.pread(descriptor, len(data) + 1, 0) != data:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            _change(descriptor, os.fstat(descriptor), change)
            await self.rename(temporary, path, exclusive=exclusive)
        except OSError:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        finally:
            os.close(descriptor)

    async def rename(self, path: bytes, new: bytes, *, exclusive: bool = False) -> None:
        if exclusive:
            os.link(path, new, follow_symlinks=False)
            os.unlink(path)
        else:
            os.rename(path, new)

    async def unlink(self, path: bytes) -> None:
        os.unlink(path)

    async def make_directory(self, path: bytes, mode: int) -> None:
        os.mkdir(path, mode)

    async def make_symlink(self, path: bytes, target: bytes) -> None:
        os.symlink(target, path)

    async def make_link(self, path: bytes, new: bytes) -> None:
        os.link(path, new, follow_symlinks=False)

    async def make_node(self, path: bytes, mode: int, device: int) -> None:
        os.mknod(path, mode, device)

    async def change(self, path: bytes, change: Change) -> None:
        _change(path, os.lstat(path), change)

    async def extended(self, path: bytes) -> dict[bytes, bytes]:
        names = os.listxattr(path, follow_symlinks=False)
        return {os.fsencode(name): os.getxattr(path, name, follow_symlinks=False) for name in names}

    async def set_extended(self, path: bytes, name: bytes, value: bytes) -> None:
        os.setxattr(path, name, value, follow_symlinks=False)

    async def free_bytes(self, path: bytes) -> int:
        room = os.statvfs(path)
        return room.f_bavail * room.f_frsize


def temporary_beside(path: bytes, tag: str) -> bytes:
    """A name that a file has until it is whole: hidden, in the same directory, not too long."""
    folder, _, name = path.rpartition(b"/")
    return folder + b"/." + name[:200] + b".ssi-" + tag.encode()


def attributes_of(found: os.stat_result) -> Attributes:
    """Attributes as the kernel tells them."""
    return Attributes(
        mode=found.st_mode,
        size=found.st_size,
        atime_ns=found.st_atime_ns,
        mtime_ns=found.st_mtime_ns,
        uid=found.st_uid,
        gid=found.st_gid,
        user=_user_name(found.st_uid),
        group=_group_name(found.st_gid),
        links=found.st_nlink,
        identity=(found.st_dev, found.st_ino),
        device=found.st_rdev,
        blocks=found.st_blocks,
    )


def _change(target: int | bytes, found: os.stat_result, change: Change) -> None:
    """Sets what is to be set, the owner first: that takes set-user-id bits away.

    Raises:
        OSError: ``EINVAL``: no user or group of that name is here; else as the kernel says.
    """
    follow = isinstance(target, int)  # a descriptor stands for the file itself
    if change.user is not None or change.group is not None:
        try:
            uid = -1 if change.user is None else pwd.getpwnam(change.user).pw_uid
            gid = -1 if change.group is None else grp.getgrnam(change.group).gr_gid
        except KeyError as exc:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL)) from exc
        os.chown(target, uid, gid, follow_symlinks=follow)
    if change.mode is not None and not stat.S_ISLNK(found.st_mode):
        os.chmod(target, change.mode)
    if change.atime_ns is not None or change.mtime_ns is not None:
        atime_ns = found.st_atime_ns if change.atime_ns is None else change.atime_ns
        mtime_ns = found.st_mtime_ns if change.mtime_ns is None else change.mtime_ns
        os.utime(target, ns=(atime_ns, mtime_ns), follow_symlinks=follow)


@cache
def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


@cache
def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""


def _has(find: Callable[[str], object], name: str) -> bool:
    try:
        find(name)
    except KeyError:
        return False
    return True
