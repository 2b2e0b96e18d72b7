"""Copies files, directories and all that is in them, between any two machines.

What cannot be copied is told and passed over, as cp(1) does; what makes the rest pointless (a full
disk, a machine that does not answer) ends it.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
import stat
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from ssi.client.files.errors import FileFailed, NoRoom
from ssi.client.files.filecopy import FileOrder, copy_file
from ssi.client.files.keeping import ordinary, preserved, without_strangers
from ssi.client.files.local import temporary_beside
from ssi.client.files.place import joined, last_name
from ssi.client.files.remote import FileLost
from ssi.client.files.tree import Attributes, Change, Tree, label

FILES_AT_ONCE: Final = 32
_KEPT_NAMESPACES: Final = (b"user.", b"security.capability")


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyOptions:
    """How files are copied.

    Attributes:
        recursive: Directories with all that is in them, symbolic links as links.
        preserve: Mode, times, and for root the owner.
        archive: Besides, hard links among what is copied, and extended attributes.
        no_clobber: What is there already is left alone.
        umask: Of whoever copies; counts where modes are not preserved.
    """

    recursive: bool = False
    preserve: bool = False
    archive: bool = False
    no_clobber: bool = False
    umask: int = 0o022


class Report(Protocol):
    """Who is told how it goes."""

    def found(self, size_bytes: int) -> None:
        """One more file, of so many bytes, is to be copied."""

    def moved(self, size_bytes: int) -> None:
        """So many more bytes are there."""

    def copied(self, source: str, target: str) -> None:
        """One more file, link or directory is there."""

    def failed(self, error: FileFailed) -> None:
        """Something was passed over."""

    def warned(self, text: str) -> None:
        """Something is not as one might expect, and no failure."""


@dataclass(slots=True)
class _Run:
    """What a copy keeps in mind."""

    tasks: asyncio.TaskGroup
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(FILES_AT_ONCE))
    directories: list[tuple[bytes, Change]] = field(default_factory=list)
    firsts: dict[tuple[int, int], asyncio.Future[bytes | None]] = field(default_factory=dict)


class Copier:
    """Copies between two trees.

    Args:
        source: Of what is copied.
        target: Where to.
        options: How.
        report: Is told.
    """

    def __init__(self, source: Tree, target: Tree, options: CopyOptions, report: Report) -> None:
        self._source, self._target = source, target
        self._options, self._report = options, report
        self._strange: set[str] = set()

    async def copy(self, path: bytes, place: bytes) -> None:
        """Copies what is at a path to a place, which is its new name and no directory to put it in.

        Args:
            path: Resolved, but for its last name with ``recursive``.
            place: Resolved.

        Raises:
            NoRoom: The disk is full.
            SsiError: A machine does not answer any more.
        """
        try:
            found = await self._source.look(path)
            there = await _look_or_none(self._target, place)
            if found.is_file and there is not None and there.is_link:
                place = await self._target.resolve(place, follow=True)
                there = await _look_or_none(self._target, place)
            self._refuse_itself(path, found, place, there)
        except OSError as exc:
            self._fail(path, place, exc)
            return
        except FileFailed as exc:
            self._report.failed(exc)
            return
        async with asyncio.TaskGroup() as tasks:
            run = _Run(tasks)
            await self._one(run, path, found, place, there)
        for folder, change in reversed(run.directories):
            try:
                await self._set(folder, change)
            except OSError as exc:
                self._fail(folder, folder, exc)

    def _refuse_itself(
        self, path: bytes, found: Attributes, place: bytes, there: Attributes | None
    ) -> None:
        if self._source.node != self._target.node:
            return
        if there is not None and there.identity == found.identity:
            both = f"{label(self._source, path)} and {label(self._target, place)}"
            raise FileFailed(place=both, reason="these are the same file")
        if found.is_directory and place.startswith(path.rstrip(b"/") + b"/"):
            reason = f"a directory cannot be copied into itself, {label(self._target, place)}"
            raise FileFailed(place=label(self._source, path), reason=reason)

    # What is found

    async def _one(
        self, run: _Run, path: bytes, found: Attributes, place: bytes, there: Attributes | None
    ) -> None:
        """Copies one thing; a file is left to a task."""
        if refused := self._refused(path, found, place, there):
            self._report.failed(refused)
        elif found.is_directory:
            await self._directory(run, path, found, place, there)
        elif self._options.no_clobber and there is not None:
            return
        elif found.is_file:
            self._report.found(found.size)
            await run.gate.acquire()
            task = run.tasks.create_task(self._file(run, path, found, place, there))
            task.add_done_callback(lambda _: run.gate.release())
        elif found.is_link or self._options.recursive:
            await self._special(path, found, place, there)

    def _refused(
        self, path: bytes, found: Attributes, place: bytes, there: Attributes | None
    ) -> FileFailed | None:
        """Why something is not copied where it should be; None where nothing is in the way."""
        name = label(self._target, place)
        if found.is_directory and not self._options.recursive:
            return FileFailed(
                place=label(self._source, path),
                reason="it is a directory",
                hint="-r copies it with all that is in it",
            )
        if stat.S_ISSOCK(found.mode):
            return FileFailed(place=label(self._source, path), reason="sockets are not copied")
        if not (found.is_file or found.is_directory or found.is_link or self._options.recursive):
            return FileFailed(place=label(self._source, path), reason="it is no regular file")
        if there is None:
            return None
        if found.is_directory and not there.is_directory:
            return FileFailed(place=name, reason="it is there, and no directory")
        if not found.is_directory and there.is_directory:
            return FileFailed(place=name, reason="a directory is there, and is not replaced")
        if not (there.is_file or there.is_directory or there.is_link):
            return FileFailed(place=name, reason="it is there, and no regular file")
        return None

    async def _directory(
        self, run: _Run, path: bytes, found: Attributes, place: bytes, there: Attributes | None
    ) -> None:
        try:
            entries = await self._source.list(path)
            known: dict[bytes, Attributes] = {}
            if there is None:
                mode = stat.S_IMODE(found.mode) & 0o777 & ~self._options.umask
                await self._target.make_directory(place, mode | 0o700)
                if mode | 0o700 != mode and not self._options.preserve:
                    run.directories.append((place, Change(mode=mode)))
            else:
                known = dict(await self._target.list(place))
        except OSError as exc:
            self._fail(path, place, exc)
            return
        if self._options.preserve:
            run.directories.append((place, preserved(found, self._target.user)))
        self._report.copied(label(self._source, path), label(self._target, place))
        for name, attributes in sorted(entries, key=lambda entry: entry[0]):
            await self._one(
                run, joined(path, name), attributes, joined(place, name), known.get(name)
            )

    async def _file(
        self, run: _Run, path: bytes, found: Attributes, place: bytes, there: Attributes | None
    ) -> None:
        first: asyncio.Future[bytes | None] | None = None
        if self._options.archive and found.links > 1:
            known = run.firsts.get(found.identity)
            if known is not None and (original := await known) is not None:
                await self._link(original, path, place)
                self._report.moved(found.size)
                return
            first = asyncio.get_running_loop().create_future()
            run.firsts[found.identity] = first
        done = None
        try:
            if await self._copied(path, found, place, there):
                done = place
        finally:
            if first is not None:
                first.set_result(done)

    async def _copied(
        self, path: bytes, found: Attributes, place: bytes, there: Attributes | None
    ) -> bool:
        """Copies a regular file; whether it is there now."""
        try:
            order = FileOrder(
                source=self._source,
                path=path,
                target=self._target,
                place=place,
                change=self._wanted(found, there),
                extended=await self._extended(path, found),
                exclusive=self._options.no_clobber,
            )
            is_same = await self._tried(order)
        except OSError as exc:
            if self._options.no_clobber and exc.errno == errno.EEXIST:
                return False
            if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise await self._no_room(place, found) from exc
            self._fail(path, place, exc)
            return False
        if not is_same:
            self._report.warned(f"{label(self._source, path)} changed while it was copied")
        self._report.copied(label(self._source, path), label(self._target, place))
        return True

    async def _tried(self, order: FileOrder) -> bool:
        try:
            return await copy_file(order, self._report.moved)
        except FileLost:  # its server was restarted; a second time it goes on where it was
            return await copy_file(order, self._report.moved)
        except OSError as exc:
            if (
                exc.errno != errno.EINVAL
                or (change := self._without_strangers(order.change)) is None
            ):
                raise
            return await copy_file(replace(order, change=change), self._report.moved)

    async def _special(
        self, path: bytes, found: Attributes, place: bytes, there: Attributes | None
    ) -> None:
        """A symbolic link, a fifo or a device: made beside, and then renamed."""
        temporary = temporary_beside(place, secrets.token_hex(4))
        try:
            if found.is_link:
                await self._target.make_symlink(temporary, await self._source.read_link(path))
            else:
                await self._target.make_node(temporary, found.mode, found.device)
            if self._options.preserve:
                await self._set(temporary, preserved(found, self._target.user))
            await self._target.rename(temporary, place, exclusive=there is None)
        except OSError as exc:
            self._fail(path, place, exc)
            return
        self._report.copied(label(self._source, path), label(self._target, place))

    async def _link(self, original: bytes, path: bytes, place: bytes) -> None:
        temporary = temporary_beside(place, secrets.token_hex(4))
        try:
            await self._target.make_link(original, temporary)
            await self._target.rename(temporary, place)
        except OSError as exc:
            self._fail(path, place, exc)
            return
        self._report.copied(label(self._source, path), label(self._target, place))

    # Attributes

    def _wanted(self, found: Attributes, there: Attributes | None) -> Change:
        """The attributes of the copy of a regular file."""
        if self._options.preserve:
            return preserved(found, self._target.user)
        return ordinary(found, there, self._target.user, self._options.umask)

    async def _set(self, path: bytes, change: Change) -> None:
        try:
            await self._target.change(path, change)
        except OSError as exc:
            known = self._without_strangers(change) if exc.errno == errno.EINVAL else None
            if known is None:
                raise
            await self._target.change(path, known)

    def _without_strangers(self, change: Change) -> Change | None:
        """The same without names that the target does not know, which is told once of each.

        None where it knows them all.
        """
        has_user, has_group = self._target.knows(change.user or "", change.group or "")
        strangers = []
        if change.user is not None and not has_user:
            strangers.append(f"user {change.user}")
        if change.group is not None and not has_group:
            strangers.append(f"group {change.group}")
        for name in set(strangers) - self._strange:
            self._strange.add(name)
            where, owner = self._target.node or "this machine", self._target.user
            self._report.warned(f"{where} has no {name}: such files are {owner}'s there")
        if not strangers:
            return None
        return without_strangers(change, has_user=has_user, has_group=has_group)

    async def _extended(self, path: bytes, found: Attributes) -> dict[bytes, bytes]:
        if not self._options.archive or found.plain:
            return {}
        is_root = self._target.user == "root"
        kept = _KEPT_NAMESPACES if is_root else _KEPT_NAMESPACES[:1]
        try:
            told = await self._source.extended(path)
        except OSError as exc:
            if exc.errno == errno.ENOTSUP:
                return {}
            raise
        return {name: value for name, value in told.items() if name.startswith(kept)}

    # Failures

    def _fail(self, path: bytes, place: bytes, exc: OSError) -> None:
        """Tells what was passed over."""
        self._report.failed(failure(self._source, path, self._target, place, exc))

    async def _no_room(self, place: bytes, found: Attributes) -> NoRoom:
        folder = place.rpartition(b"/")[0] or b"/"
        free_bytes = await self._target.free_bytes(folder)
        return NoRoom(
            place=label(self._target, place), needed_bytes=found.size, free_bytes=free_bytes
        )


def failure(source: Tree, path: bytes, target: Tree, place: bytes, exc: OSError) -> FileFailed:
    """What the user is told of an error of one of two machines."""
    reason = exc.strerror or str(exc)
    if isinstance(exc.filename, str):  # a node's
        is_source = exc.filename == f"{source.node}:"
    elif source.node or target.node:  # this machine's
        is_source = not source.node
    else:
        is_source = exc.filename == path
    if is_source:
        return FileFailed(place=label(source, path), reason=reason)
    if exc.errno == errno.ENOENT:
        reason = "its directory is not there"
    return FileFailed(place=label(target, place), reason=reason)


async def _look_or_none(tree: Tree, path: bytes) -> Attributes | None:
    try:
        return await tree.look(path)
    except FileNotFoundError:
        return None


def name_within(folder: bytes, path: bytes) -> bytes:
    """Where a copy goes that is to lie in a directory."""
    return joined(folder, last_name(path)) if last_name(path) else folder
