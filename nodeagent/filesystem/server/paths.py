"""What is done at a path. Each function runs in a thread that is the user already."""

from __future__ import annotations

import ctypes
import errno
import grp
import os
import pwd
import stat
import time
from collections.abc import Callable
from typing import Final

from nodeagent.filesystem.remembered import Remembered
from nodeagent.filesystem.server.entries import Entries, is_plain
from nodeagent.filesystem.server.exports import Exports, Rule, is_sound, join
from nodeagent.filesystem.server.names import Names, has_rested, is_unchanged
from nodeagent.filesystem.server.tree import Tree, reopened
from ssi.protocol.filereplies import Entry, Nothing, Space, Text
from ssi.protocol.filerequests import (
    GetExtended,
    GetSpace,
    ListExtended,
    Lookup,
    MakeDirectory,
    MakeLink,
    MakeNode,
    MakeSymlink,
    ReadLink,
    RemoveDirectory,
    RemoveExtended,
    Rename,
    SetAttributes,
    SetExtended,
    SyncDirectory,
    Unlink,
)

LONGEST_TARGET_BYTES: Final = 255
"""Of a symbolic link that is told with a listing."""

_libc: Final = ctypes.CDLL(None, use_errno=True)
_ids: Final = Remembered()
NOW: Final = -1
"""As a time: when the server does it."""


def refusal(number: int) -> OSError:
    """An error of that number."""
    return OSError(number, os.strerror(number))


class Paths:
    """Everything that names a file by its path.

    Args:
        tree: What is served.
        rules: What of it; asked anew each time, for they change with the mounts of the node.
    """

    def __init__(self, tree: Tree, rules: Callable[[], Exports]) -> None:
        self.tree = tree
        self._rules = rules
        with tree.at(b"") as root:
            self.entries = Entries(os.fstat(root).st_dev)

    # What may be done

    def seen(self, path: bytes) -> Rule:
        """The rule of a path that is looked at.

        Raises:
            OSError: ``ENOENT`` where nothing is to be seen.
        """
        if not is_sound(path):
            raise refusal(errno.EINVAL)
        rule = self._rules().rule(path)
        if rule is Rule.NOTHING:
            raise refusal(errno.ENOENT)
        return rule

    def changed(self, path: bytes) -> None:
        """Lets a path be changed.

        Raises:
            OSError: ``EROFS`` where it may not.
        """
        if self.seen(path) is not Rule.WRITE:
            raise refusal(errno.EROFS)

    # Looking

    def lookup(self, body: Lookup) -> Entry:
        return self.entry(body.path)

    def entry(self, path: bytes) -> Entry:
        """What is at a path."""
        rule = self.seen(path)
        with self.tree.at(path) as found:
            if rule is Rule.EMPTY:
                return self.entries.of(os.fstat(found), plain=True, empty=True)
            return self.entries.at(found)

    def above(self, path: bytes) -> bytes:
        """Attributes of the directory that a path is in; empty where it is gone."""
        try:
            with self.tree.at(path.rpartition(b"/")[0]) as folder:
                return self._attributes(folder)
        except OSError:
            return b""

    def _attributes(self, folder: int) -> bytes:
        return self.entries.of(os.fstat(folder)).attributes

    def names(self, path: bytes, known: bytes = b"") -> Names:
        """All names in a directory, without ``.`` and ``..``."""
        rule = self.seen(path)
        if rule is Rule.EMPTY:
            return Names()
        rules, began_ns = self._rules(), time.time_ns()
        with self.tree.listing(path) as folder:
            if known and rule is not Rule.ABOVE and is_unchanged(known, self._attributes(folder)):
                return Names((), known, steady=True, same=True)
            names = [os.fsencode(name) for name in os.listdir(folder)]  # noqa: PTH208 - by descriptor
            found = os.fstat(folder)
        attributes = self.entries.of(found).attributes
        if rule is Rule.ABOVE:
            return Names([name for name in names if rules.shows(path, name)], attributes)
        return Names(names, attributes, steady=has_rested(found, began_ns, rules.noting))

    def entries_in(self, path: bytes, names: list[bytes]) -> list[tuple[bytes, Entry]]:
        """Those of the names that are still there, with what they are."""
        rules, told = self._rules(), []
        with self.tree.listing(path) as folder:
            above = os.fsencode(reopened(folder))
            for name in names:
                try:
                    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                except OSError:
                    continue
                empty = rules.rule(join(path, name)) is Rule.EMPTY
                target = b"" if empty else link_at(folder, name, found)
                if len(target) > LONGEST_TARGET_BYTES:
                    target = b""  # whoever wants it asks; a thousand of them would fit no answer
                plain = empty or stat.S_ISLNK(found.st_mode) or is_plain(join(above, name))
                entry = self.entries.of(found, plain=plain, empty=empty, target=target)
                told.append((name, entry))
        return told

    def read_link(self, body: ReadLink) -> Text:
        self.seen(body.path)
        with self.tree.at(body.path) as link:
            return Text(os.readlink(b"", dir_fd=link))

    def space(self, body: GetSpace) -> Space:
        self.seen(body.path)
        with self.tree.at(body.path) as place:
            told = os.fstatvfs(place)
        return Space(
            told.f_blocks, told.f_bfree, told.f_bavail, told.f_files, told.f_ffree,
            told.f_bsize, told.f_namemax, told.f_frsize,
        )  # fmt: skip

    # Making and removing names

    def make_node(self, body: MakeNode) -> Entry:
        self.changed(body.path)
        major = (body.device >> 8) & 0xFFF
        minor = (body.device & 0xFF) | ((body.device >> 12) & 0xFFF00)
        with self.tree.parent(body.path) as (folder, name):
            os.mknod(name, body.mode, os.makedev(major, minor), dir_fd=folder)
        return self.entry(body.path)

    def make_directory(self, body: MakeDirectory) -> Entry:
        self.changed(body.path)
        with self.tree.parent(body.path) as (folder, name):
            os.mkdir(name, body.mode & 0o7777, dir_fd=folder)
        return self.entry(body.path)

    def make_symlink(self, body: MakeSymlink) -> Entry:
        self.changed(body.path)
        with self.tree.parent(body.path) as (folder, name):
            os.symlink(body.target, name, dir_fd=folder)
        return self.entry(body.path)

    def make_link(self, body: MakeLink) -> Entry:
        self.changed(body.path)
        self.changed(body.new)
        with (
            self.tree.parent(body.path) as (folder, name),
            self.tree.parent(body.new) as (new_folder, new_name),
        ):
            os.link(name, new_name, src_dir_fd=folder, dst_dir_fd=new_folder, follow_symlinks=False)
        return self.entry(body.new)

    def unlink(self, body: Unlink) -> Nothing:
        self.changed(body.path)
        with self.tree.parent(body.path) as (folder, name):
            os.unlink(name, dir_fd=folder)
            return Nothing(self._attributes(folder))

    def remove_directory(self, body: RemoveDirectory) -> Nothing:
        self.changed(body.path)
        with self.tree.parent(body.path) as (folder, name):
            os.rmdir(name, dir_fd=folder)
            return Nothing(self._attributes(folder))

    def rename(self, body: Rename) -> Nothing:
        self.changed(body.path)
        self.changed(body.new)
        with (
            self.tree.parent(body.path) as (folder, name),
            self.tree.parent(body.new) as (new_folder, new_name),
        ):
            result = _libc.renameat2(
                ctypes.c_int(folder),
                ctypes.c_char_p(name),
                ctypes.c_int(new_folder),
                ctypes.c_char_p(new_name),
                ctypes.c_uint(body.flags),
            )
            if result != 0:
                raise refusal(ctypes.get_errno())
        return Nothing()

    def sync_directory(self, body: SyncDirectory) -> Nothing:
        self.seen(body.path)
        with self.tree.listing(body.path) as folder:
            os.fsync(folder)
        return Nothing()

    # Attributes

    def set_attributes(self, body: SetAttributes) -> Entry:
        self.changed(body.path)
        with self.tree.at(body.path) as place:
            found = os.fstat(place)
            if stat.S_ISLNK(found.st_mode):
                self._change_link(body, found)
            else:
                change(reopened(place), found, body)
            return self.entries.at(place)

    def _change_link(self, body: SetAttributes, found: os.stat_result) -> None:
        with self.tree.parent(body.path) as (folder, name):
            uid, gid = owner_of(body)
            if uid != -1 or gid != -1:
                os.chown(name, uid, gid, dir_fd=folder, follow_symlinks=False)
            if body.atime_ns == body.mtime_ns == NOW:
                os.utime(name, dir_fd=folder, follow_symlinks=False)
            elif body.atime_ns is not None or body.mtime_ns is not None:
                os.utime(name, ns=times_of(body, found), dir_fd=folder, follow_symlinks=False)

    def get_extended(self, body: GetExtended) -> Text:
        self.seen(body.path)
        with self.tree.at(body.path) as place:
            return Text(os.getxattr(self._with_extended(place, errno.ENODATA), body.name))

    def list_extended(self, body: ListExtended) -> Text:
        self.seen(body.path)
        with self.tree.at(body.path) as place:
            names = os.listxattr(self._with_extended(place, errno.ENODATA))
        return Text(b"".join(os.fsencode(name) + b"\0" for name in names))

    def set_extended(self, body: SetExtended) -> Nothing:
        self.changed(body.path)
        with self.tree.at(body.path) as place:
            path = self._with_extended(place, errno.EPERM)
            os.setxattr(path, body.name, body.value, body.flags)
        return Nothing()

    def remove_extended(self, body: RemoveExtended) -> Nothing:
        self.changed(body.path)
        with self.tree.at(body.path) as place:
            os.removexattr(self._with_extended(place, errno.EPERM), body.name)
        return Nothing()

    @staticmethod
    def _with_extended(place: int, otherwise: int) -> str:
        """A path by which the attributes of a file are reached; not those of a symbolic link."""
        if stat.S_ISLNK(os.fstat(place).st_mode):
            raise refusal(otherwise)
        return reopened(place)


def link_at(folder: int, name: bytes, found: os.stat_result) -> bytes:
    """What a name in a directory holds that was a symbolic link just now; empty of all else."""
    if not stat.S_ISLNK(found.st_mode):
        return b""
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError:
        return b""  # it is something else by now


def change(target: int | str, found: os.stat_result, body: SetAttributes) -> None:
    """Sets what is to be set, of a descriptor or of a path that leads to one.

    Raises:
        OSError: Not permitted; what came before it is done.
    """
    if body.size is not None:
        if isinstance(target, str) and not stat.S_ISREG(found.st_mode):
            raise refusal(errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.EINVAL)
        os.truncate(target, body.size)
    uid, gid = owner_of(body)
    if uid != -1 or gid != -1:
        os.chown(target, uid, gid)
    if body.mode is not None:
        os.chmod(target, body.mode & 0o7777)  # noqa: PTH101 - maybe a descriptor
    if body.atime_ns == body.mtime_ns == NOW:
        os.utime(target)  # which whoever may write is allowed, as no other time is
    elif body.atime_ns is not None or body.mtime_ns is not None:
        os.utime(target, ns=times_of(body, found))


def owner_of(body: SetAttributes) -> tuple[int, int]:
    """The ids here of the owner and the group that are to be set; -1 for one that is not.

    Raises:
        OSError: ``EINVAL``: nobody has that name here.
    """
    uid = gid = -1
    if body.owner is not None:
        uid = _id("user", body.owner, lambda name: pwd.getpwnam(name).pw_uid)
    if body.group is not None:
        gid = _id("group", body.group, lambda name: grp.getgrnam(name).gr_gid)
    return uid, gid


def _id(kind: str, name: str, find: Callable[[str], int]) -> int:
    found = _ids.ask(kind, name, find, absent=False)
    if found is None:
        raise refusal(errno.EINVAL)
    return found


def times_of(body: SetAttributes, found: os.stat_result) -> tuple[int, int]:
    """Both times as they are to be."""
    now_ns = time.time_ns()
    atime_ns = found.st_atime_ns if body.atime_ns is None else body.atime_ns
    mtime_ns = found.st_mtime_ns if body.mtime_ns is None else body.mtime_ns
    return (now_ns if atime_ns == NOW else atime_ns, now_ns if mtime_ns == NOW else mtime_ns)
