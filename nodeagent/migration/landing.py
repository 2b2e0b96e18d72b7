"""Where files of an arriving job land: beside their path first, at it only once all is there.

Nothing that a user has is ever overwritten: a file that stands at the path with other content is a
refusal, one with the same content is used as it is. Whatever was made is undone unless it is kept.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from nodeagent.files import replace_file
from nodeagent.mechanism import trustedpath
from nodeagent.mechanism.digest import digests_of, sha256
from nodeagent.mechanism.pinned import Identity, identity_of
from nodeagent.migration.describe import CHUNK_BYTES, HEAD_BYTES, user_name
from ssi.model.migration import FileConflict
from ssi.model.unreadable import UNREADABLE
from ssi.protocol.migration import FileMeta

JOURNAL: Final = ".landing"
"""Name of a landing's journal, beside the images; no image may have such a name."""


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """What a landing has brought: undone in this order, the directories from the last."""

    files: list[str]
    directories: list[str]


@dataclass(slots=True)
class Landing:
    """The files of one arriving job.

    Attributes:
        node: Name of this node, for refusals.
        gpid: Of the job; part of the names of staged files.
        images: Directory of its images, beside which lies what tells a later agent what is to be
            undone.
        placed: Paths of files that were put there.
        brought: What is at their paths, of those that the job writes or that came with it.
        same: Paths of files that the source has open, too, on a file system that both see: number
            and time of change are those of another file only on purpose.
    """

    node: str
    gpid: int
    images: Path
    placed: list[str] = field(default_factory=list)
    brought: set[Identity] = field(default_factory=set)
    same: list[str] = field(default_factory=list)
    _staged: dict[str, FileMeta] = field(default_factory=dict)
    _taken: dict[str, dict[int, bytes]] = field(default_factory=dict)
    """Of each staged file the digests of the chunks that are in it as they were announced."""
    _made: list[str] = field(default_factory=list)
    _strict: bool = False

    def missing_chunks(self, meta: FileMeta, *, frozen: bool) -> tuple[int, ...]:
        """Which chunks of a file are to be sent: none where the same file is here already.

        Args:
            meta: The file at the source.
            frozen: Nothing changes there any more, so every piece must be as described.

        Raises:
            FileConflict: Another file stands at its path, or its staged copy cannot be written.
        """
        if meta.kind == "fifo":
            self._stage_fifo(meta)
            return ()
        standing = _digests(Path(meta.path))
        if standing is not None:
            impostor = impostor_of(meta)
            if impostor:
                raise FileConflict(node=self.node, path=meta.path, reason=impostor)
            if standing == meta.digests:
                return ()
            raise FileConflict(
                node=self.node, path=meta.path, reason="another file of that name is there"
            )
        staging = self._staging(meta.path)
        before, taken = self._staged.get(meta.path), self._taken.setdefault(meta.path, {})
        if before is not None and before.size_bytes != meta.size_bytes:
            whole = min(before.size_bytes, meta.size_bytes) // CHUNK_BYTES
            for index in [index for index in taken if index >= whole]:
                del taken[index]
        try:
            self._staged[meta.path] = meta
            self._write_journal()
            with trustedpath.parent_of(str(staging)) as (folder, name):
                if before is None:
                    _clear(folder, name)
                    _make_file(folder, name)
                descriptor = _opened(folder, name, os.O_WRONLY)
            with os.fdopen(descriptor, "wb") as file:
                file.truncate(meta.size_bytes)
        except OSError as exc:
            raise FileConflict(node=self.node, path=meta.path, reason=str(exc)) from exc
        self._strict = frozen
        return tuple(
            index for index, digest in enumerate(meta.digests) if taken.get(index) != digest
        )

    def _stage_fifo(self, meta: FileMeta) -> None:
        if reason := conflict_of(meta):
            raise FileConflict(node=self.node, path=meta.path, reason=reason)
        if meta.path in self._staged:
            return
        try:
            self._staged[meta.path] = meta
            self._write_journal()
            with trustedpath.parent_of(str(self._staging(meta.path))) as (folder, name):
                _clear(folder, name)
                os.mkfifo(name, 0o600, dir_fd=folder)
        except OSError as exc:
            raise FileConflict(node=self.node, path=meta.path, reason=str(exc)) from exc

    def put(self, path: str, offset: int, data: bytes | memoryview) -> None:
        """Writes a piece of a staged file, if it is what was announced.

        Raises:
            FileConflict: It was not announced, is damaged, or cannot be written.
        """
        meta = self._staged.get(path)
        index, within = divmod(offset, CHUNK_BYTES)
        if meta is None or within or index >= len(meta.digests):
            raise FileConflict(node=self.node, path=path, reason="a piece was not announced")
        if sha256(data).digest() != meta.digests[index]:
            if not self._strict:
                return  # it was written to meanwhile, and comes again once the job is frozen
            raise FileConflict(node=self.node, path=path, reason="a piece arrived damaged")
        try:
            self._taken[path].pop(index, None)
            with trustedpath.parent_of(str(self._staging(path))) as (folder, name):
                descriptor = _opened(folder, name, os.O_WRONLY)
            try:
                write_at(descriptor, data, offset)
            finally:
                os.close(descriptor)
        except OSError as exc:
            raise FileConflict(node=self.node, path=path, reason=str(exc)) from exc
        self._taken[path][index] = meta.digests[index]

    def make_directories(self, metas: Sequence[FileMeta]) -> None:
        """Makes those that are missing, outermost first, with their owner and mode.

        Raises:
            FileConflict: Something else is there, or it cannot be made.
        """
        for meta in metas:
            try:
                if Path(meta.path).is_dir():
                    with trustedpath.directory_at(meta.path):
                        continue
                self._made.append(meta.path)
                self._write_journal()
                with trustedpath.parent_of(meta.path) as (folder, name):
                    os.mkdir(name, 0o700, dir_fd=folder)
                    _give(_opened(folder, name, os.O_RDONLY | os.O_DIRECTORY), meta)
            except (OSError, KeyError) as exc:
                raise FileConflict(node=self.node, path=meta.path, reason=str(exc)) from exc

    def place(self, metas: Sequence[FileMeta]) -> list[str]:
        """Puts these staged files at their paths; returns the paths that were put there.

        What else was staged goes: the job has closed it since, and it may be half a file.

        Raises:
            FileConflict: One appeared there meanwhile, or cannot be put; then none is left there.
        """
        for meta in metas:
            if meta.path not in self._staged:
                self._recognize(meta)
                continue
            staging = self._staging(meta.path).name
            try:
                with trustedpath.parent_of(meta.path) as (folder, name):
                    descriptor = _opened(folder, staging, os.O_RDONLY | os.O_NONBLOCK)
                    self.brought.add(identity_of(os.fstat(descriptor)))
                    _give(descriptor, meta, mtime_ns=meta.mtime_ns)
                    # link(2) refuses where rename(2) would overwrite.
                    os.link(
                        staging, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False
                    )
                    self.placed.append(meta.path)
                    self._write_journal()
                    os.unlink(staging, dir_fd=folder)
            except (OSError, KeyError) as exc:
                raise FileConflict(node=self.node, path=meta.path, reason=str(exc)) from exc
        for path in self._staged.keys() - {meta.path for meta in metas}:
            trustedpath.remove(str(self._staging(path)))
        return list(self.placed)

    def _recognize(self, meta: FileMeta) -> None:
        """One that the job writes and that stands there already has to be its owner's still."""
        if not meta.writable:
            return
        try:
            with trustedpath.parent_of(meta.path) as (folder, name):
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError as exc:
            raise FileConflict(node=self.node, path=meta.path, reason=str(exc)) from exc
        if user_name(status.st_uid) != meta.user or stat.S_ISLNK(status.st_mode):
            reason = "something else was put there"
            raise FileConflict(node=self.node, path=meta.path, reason=reason)
        self.brought.add(identity_of(status))
        if (status.st_ino, status.st_ctime_ns) == (meta.inode, meta.ctime_ns):
            self.same.append(meta.path)

    def undo(self) -> None:
        """Removes all that was brought: the job stays where it was."""
        undo_landing(self.images)  # what an agent before this one has brought
        _remove(self._record())

    def keep(self) -> None:
        """The job runs here from now on: no later agent undoes this.

        Raises:
            OSError: It cannot be noted.
        """
        (self.images / JOURNAL).unlink(missing_ok=True)

    def _record(self) -> _Record:
        staged = [str(self._staging(path)) for path in self._staged]
        return _Record(files=[*staged, *self.placed], directories=self._made)

    def _write_journal(self) -> None:
        replace_file(self.images / JOURNAL, msgspec.json.encode(self._record()), durable=False)

    def _staging(self, path: str) -> Path:
        target = Path(path)
        return target.with_name(f".{target.name}.ssi-{self.gpid}")


def write_at(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """Writes all of it: of what no longer fits the kernel takes a part first, and refuses then.

    Raises:
        OSError: Not all of it could be written.
    """
    view = memoryview(data)
    written = 0
    while written < len(view):
        written += os.pwrite(descriptor, view[written:], offset + written)


def undo_landing(images: Path) -> None:
    """Undoes what a landing of an earlier agent has brought; nothing where there is no journal."""
    with suppress(FileNotFoundError, *UNREADABLE):
        _remove(msgspec.json.decode((images / JOURNAL).read_bytes(), type=_Record))


def _remove(record: _Record) -> None:
    for file in record.files:
        trustedpath.remove(file)
    for directory in reversed(record.directories):
        trustedpath.remove_directory(directory)  # unless somebody uses it by now


def conflict_of(meta: FileMeta) -> str:
    """Why a file of a job cannot be at its path here; empty where it can, or is there already."""
    path = Path(meta.path)
    try:
        with suppress(FileNotFoundError), trustedpath.parent_of(meta.path):
            pass  # what is missing will be made
        status = path.stat()
    except FileNotFoundError:
        return f"{meta.path} is a link to nothing" if path.is_symlink() else ""
    except OSError as exc:  # a file stands where the source has a directory
        return f"{meta.path}: {exc.strerror}"
    if meta.kind == "fifo":
        return f"{meta.path} is here already, and may be another's named pipe"
    if not stat.S_ISREG(status.st_mode):
        return f"{meta.path} is no regular file here"
    if impostor := impostor_of(meta):
        return f"{meta.path} {impostor}"
    if status.st_size == meta.size_bytes and _digests(path) == meta.digests:
        return ""
    return f"{meta.path}: another file of that name is there"


def impostor_of(meta: FileMeta) -> str:
    """Why a file here must not become one that the job writes, whatever is in it; empty: it may.

    The job gets it open as CRIU opens it, who is root, so it must be its owner's here too.
    """
    if not meta.writable:
        return ""
    if os.path.realpath(meta.path) != meta.path:
        return "leads elsewhere through a link here"
    owner = owner_of(meta.path)
    return "" if owner == meta.user else f"belongs to {owner} here and to {meta.user} at the source"


def owner_of(path: str) -> str:
    """Name, or number, of the owner of a file.

    Raises:
        OSError: It is gone.
    """
    uid = os.stat(path).st_uid  # noqa: PTH116
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def same_program(meta: FileMeta) -> str:
    """Why a program here is not the one of the source; empty where it is."""
    try:
        with Path(meta.path).open("rb") as file:
            head = sha256(file.read(HEAD_BYTES)).digest()
            size = os.fstat(file.fileno()).st_size
    except OSError as exc:
        return f"{meta.path}: {exc.strerror}"
    if size != meta.size_bytes:
        return f"{meta.path} has {size} bytes here and {meta.size_bytes} there"
    if (head,) != meta.digests:
        return f"{meta.path} is another build here"
    return ""


def _digests(path: Path) -> tuple[bytes, ...] | None:
    try:
        with path.open("rb") as file:
            return digests_of(file, CHUNK_BYTES)
    except FileNotFoundError:
        return None
    except OSError:
        return (b"unreadable",)


def _clear(folder: int, name: str) -> None:
    """What an earlier try has left there, or somebody has put there, goes first."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _make_file(folder: int, name: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    os.close(os.open(name, flags, 0o600, dir_fd=folder))


def _opened(folder: int, name: str, flags: int) -> int:
    """A descriptor of what we have made there.

    Raises:
        OSError: ``EPERM``: it is something else by now.
    """
    descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    status = os.fstat(descriptor)
    alone = status.st_nlink == 1 or stat.S_ISDIR(status.st_mode)
    if status.st_uid != os.geteuid() or not alone:
        os.close(descriptor)
        raise OSError(errno.EPERM, "somebody has put something else there")
    return descriptor


def _give(descriptor: int, meta: FileMeta, mtime_ns: int | None = None) -> None:
    """Lets its owner have what we have made, and closes it."""
    try:
        uid = int(meta.user) if meta.user.isdigit() else pwd.getpwnam(meta.user).pw_uid
        gid = int(meta.group) if meta.group.isdigit() else grp.getgrnam(meta.group).gr_gid
        os.fchown(descriptor, uid, gid)
        os.fchmod(descriptor, meta.mode)
        if mtime_ns is not None:
            os.utime(descriptor, ns=(mtime_ns, mtime_ns))
    finally:
        os.close(descriptor)
