"""Files of a checkpoint as they are now: the same, grown, or another, and what is done then.

A job gets its files as CRIU, which is root, opens them at their paths; and between checkpoint and
restore its user may have put anything there. So a file must be the one that it says it is: no link
on the way, and of the owner and mode that it had. Source: CRIU 4.2 ``criu/files-reg.c``.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from nodeagent.mechanism.digest import sha256
from nodeagent.mechanism.openfiles import writers_outside
from nodeagent.mechanism.pinned import identity_of
from nodeagent.migration.describe import CHUNK_BYTES, describe_file
from nodeagent.migration.plan import Item
from ssi.model.checkpoint import FilesRule
from ssi.protocol.migration import FileMeta


def present(metas: tuple[FileMeta, ...]) -> dict[str, Item]:
    """Through what those can be read that are here."""
    return {
        meta.path: Item(path=meta.path, link=meta.path)
        for meta in metas
        if os.path.lexists(meta.path)
    }


def changes(metas: tuple[FileMeta, ...], rule: FilesRule) -> list[str]:
    """Which files that are here are not as the rule wants them, each in a sentence."""
    found = []
    for meta in metas:
        if meta.path in present((meta,)):
            try:
                with _opened(meta, os.O_RDONLY) as descriptor:
                    found.append(_change(meta, descriptor, rule))
            except OSError as exc:
                found.append(f"{meta.path}: {exc.strerror}")
    return [reason for reason in found if reason]


def settled(metas: tuple[FileMeta, ...], rule: FilesRule) -> tuple[FileMeta, ...]:
    """The files as the job will find them; those that the rule cuts back are cut now.

    Raises:
        OSError: One cannot be read, or cut, or has just been changed.
    """
    here = present(metas)
    return tuple(_settled(meta, rule) if meta.path in here else meta for meta in metas)


def _settled(meta: FileMeta, rule: FilesRule) -> FileMeta:
    access = os.O_RDWR if rule is FilesRule.REWIND else os.O_RDONLY
    with _opened(meta, access) as descriptor:
        reason = _change(meta, descriptor, rule)
        if reason:
            raise OSError(0, reason)
        if rule is FilesRule.REWIND and os.fstat(descriptor).st_size > meta.size_bytes:
            os.ftruncate(descriptor, meta.size_bytes)
        link = f"/proc/self/fd/{descriptor}"
        now = describe_file(Item(path=meta.path, link=link, writable=meta.writable))
    return msgspec.structs.replace(now, mapped=meta.mapped)


@contextmanager
def _opened(meta: FileMeta, access: int) -> Iterator[int]:
    # Without blocking: a named pipe may stand there by now.
    descriptor = os.open(meta.path, access | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _change(meta: FileMeta, descriptor: int, rule: FilesRule) -> str:
    """Why an open file is not as the rule wants it; empty where it is."""
    link = f"/proc/self/fd/{descriptor}"
    if os.readlink(link) != meta.path:  # noqa: PTH115 - a text, not a path to be resolved
        return f"{meta.path} leads elsewhere through a link"
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return f"{meta.path} is no regular file any more"
    now = describe_file(Item(path=meta.path, link=link, writable=meta.writable))
    if (now.user, now.group, now.mode) != (meta.user, meta.group, meta.mode):
        return f"{meta.path} has another owner or mode than it had"
    if rule is FilesRule.AS_IS or now.digests == meta.digests:
        return ""
    if not _begins_as(meta, link):
        return f"{meta.path} is not as it was"
    if rule is FilesRule.REWIND:
        identity = identity_of(os.fstat(descriptor))
        users = writers_outside(frozenset({identity}), frozenset(), "")
        for user in users.values():
            return f"{meta.path} has grown, and process {user} has it open: it is not cut off"
        return ""
    grown = now.size_bytes - meta.size_bytes
    return f"{meta.path} has grown by {grown} bytes since (--files rewind cuts them off)"


def _begins_as(meta: FileMeta, link: str) -> bool:
    """Whether the first bytes of a file are all that it had."""
    left = meta.size_bytes
    with Path(link).open("rb") as file:
        for digest in meta.digests:
            chunk = file.read(min(CHUNK_BYTES, left))
            left -= len(chunk)
            if sha256(chunk).digest() != digest:
                return False
    return left == 0
