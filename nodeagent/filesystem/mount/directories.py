"""Listings, as the kernel asks for them."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable

import msgspec

from nodeagent.filesystem.fuse import replies, requests
from nodeagent.filesystem.fuse.abi import Opcode
from nodeagent.filesystem.fuse.requests import Body, Header
from nodeagent.filesystem.mount.handles import Directory
from nodeagent.filesystem.mount.mount import Mount
from nodeagent.filesystem.mount.nodes import UNKNOWN, Listed, Node
from ssi.protocol import filereplies, filerequests
from ssi.protocol.filereplies import ATTRIBUTES, Entry, FileReply

_DOTS = (b".", b"..")


def open_directory(mount: Mount, header: Header, _body: Body) -> None:
    """OPENDIR, which brings the beginning of the listing along."""
    node = mount.nodes.get(header.node)

    def opened(listing: filereplies.Listing, asked_s: float) -> None:
        user, group = mount.server.asker(header)
        number = mount.handles.next()
        directory = Directory(
            number, node, user, group, listing.entries, listing.handle, asked_s,
            names_only=listing.same,
        )  # fmt: skip
        mount.handles.directories[number] = directory
        mount.memory.opened_directory(directory)
        mount.reply(header, replies.opened(number, 0))

    _list(mount, header, node, opened)


def _list(
    mount: Mount, header: Header, node: Node, then: Callable[[filereplies.Listing, float], None]
) -> None:
    changes, asked_s = node.changes, time.monotonic()
    believed = mount.beliefs.listed(node)
    has_attributes = believed is not None and not believed.names_only
    kept = mount.listings.known(node, has_attributes=has_attributes)

    def listed(reply: FileReply, _payload: memoryview) -> None:
        assert isinstance(reply, filereplies.Listing)
        if kept is not None and reply.same:
            reply = msgspec.structs.replace(reply, entries=kept.entries)
        else:
            mount.listings.take(node, reply)
        if node.changes == changes and _is_of(node, reply.folder):
            mount.told_of_folder(node, reply.folder)
        else:
            node.vouched = -1  # it was read, which is one of its times
        if not reply.handle and node.changes == changes and mount.options.attributes_s > 0:
            _believe(mount, node, reply, asked_s)
        then(reply, asked_s)

    known = kept.folder if kept is not None else b""
    mount.server.ask(header, filerequests.OpenDirectory(mount.nodes.path(node), known), listed)


def _believe(mount: Mount, node: Node, listing: filereplies.Listing, asked_s: float) -> None:
    """Lookups are answered from a listing for a while."""
    if not listing.same:
        node.listed = Listed(asked_s, dict(listing.entries))
    elif mount.beliefs.listed(node) is None:  # else attributes of a moment ago are there
        names = dict.fromkeys(name for name, _entry in listing.entries)
        node.listed = Listed(asked_s, names, names_only=True)


def _is_of(node: Node, attributes: bytes) -> bool:
    """Whether these are known, and of this directory: another may have its name by now."""
    ino = int.from_bytes(attributes[:8], "little")
    return bool(attributes) and (node.key == UNKNOWN or ino == node.key[1])


def read_directory(mount: Mount, header: Header, body: Body) -> None:
    """READDIR, READDIRPLUS."""
    assert isinstance(body, requests.Read)
    directory = mount.handles.directories.get(body.handle)
    if directory is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    # rewinddir(3) wants to see what is there now; where the rest is lost, names may have moved, but
    # an end of the listing that is none would be worse.
    if directory.is_cut or (body.offset == 0 and directory.begun):

        def anew(listing: filereplies.Listing, asked_s: float) -> None:
            directory.entries, directory.rest = listing.entries, listing.handle
            directory.read_at_s = asked_s
            directory.begun, directory.names_only = body.offset != 0, listing.same
            directory.is_cut = False
            read_directory(mount, header, body)

        if directory.rest:
            mount.server.tell(filerequests.Release(directory.rest))
        _list(mount, header, directory.node, anew)
        return
    directory.begun = directory.begun or body.offset == 0
    if body.offset >= len(directory.entries) + len(_DOTS) and directory.rest:
        _read_more(mount, header, body, directory)
        return
    plus = header.opcode == Opcode.READDIRPLUS
    mount.reply(header, *_rendered(mount, directory, body, plus=plus))


def _read_more(mount: Mount, header: Header, body: requests.Read, directory: Directory) -> None:
    def more(reply: FileReply, _payload: memoryview) -> None:
        assert isinstance(reply, filereplies.Listing)
        directory.entries.extend(reply.entries)
        directory.rest = reply.handle
        read_directory(mount, header, body)

    mount.server.ask(header, filerequests.ListMore(directory.rest), more)


def _rendered(
    mount: Mount, directory: Directory, body: requests.Read, *, plus: bool
) -> list[bytes]:
    """As much of the listing as fits; an entry counts as a lookup that the kernel will forget."""
    parts: list[bytes] = []
    left = body.size
    before = replies.ENTRY_BYTES if plus else 0
    # Names that were removed since it was read are not to be told as if they were there.
    is_known = not directory.names_only and directory.node.changed_at_s < directory.read_at_s
    for index in range(body.offset, len(directory.entries) + len(_DOTS)):
        name, entry = _named(directory, index)
        left -= before + replies.name_bytes(name)
        if left < 0:
            break
        if entry is None:
            if plus:
                parts.append(b"\0" * before)
            parts.append(replies.name(directory.node.number, index + 1, name, stat.S_IFDIR))
            continue
        values = ATTRIBUTES.unpack(entry.attributes)
        if plus:
            # One that has changed since the listing was read: the kernel asks for it by itself.
            stands = is_known and mount.beliefs.stands(entry, directory.read_at_s)
            parts.append(mount.entry(directory.node, name, entry)[1] if stands else b"\0" * before)
        parts.append(replies.name(values[0], index + 1, name, values[9]))
    return parts


def _named(directory: Directory, index: int) -> tuple[bytes, Entry | None]:
    if index < len(_DOTS):
        return _DOTS[index], None
    return directory.entries[index - len(_DOTS)]


def release_directory(mount: Mount, header: Header, body: Body) -> None:
    """RELEASEDIR."""
    assert isinstance(body, requests.Release)
    directory = mount.handles.directories.pop(body.handle, None)
    mount.reply(header)
    if directory is not None:
        mount.memory.closed(directory.number)
        if directory.rest:
            mount.server.tell(filerequests.Release(directory.rest))


def sync_directory(mount: Mount, header: Header, _body: Body) -> None:
    """FSYNCDIR."""
    path = mount.nodes.path(mount.nodes.get(header.node))
    mount.server.ask(
        header, filerequests.SyncDirectory(path), lambda _reply, _payload: mount.reply(header)
    )
