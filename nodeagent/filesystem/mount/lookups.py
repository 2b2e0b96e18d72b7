"""Names and attributes, as the kernel asks for them."""

from __future__ import annotations

import errno
import stat
import time
from typing import Final

from nodeagent.filesystem.fuse import abi, replies, requests
from nodeagent.filesystem.fuse.requests import Body, Header
from nodeagent.filesystem.mount.mount import Mount
from nodeagent.filesystem.mount.nodes import ATTRIBUTE_MODE, Listed, Node, Stale, key_of
from nodeagent.filesystem.mount.openfiles import bytes_ahead
from nodeagent.filesystem.mount.ordering import in_order
from nodeagent.filesystem.mount.secondlooks import SecondLook
from nodeagent.filesystem.mount.serverside import Then
from ssi.protocol import filereplies, filerequests
from ssi.protocol.filereplies import ATTRIBUTES, Entry, FileReply

BURST: Final = 3
BURST_WITHIN_S: Final = 0.1
"""So many lookups in one directory, each so soon after the last, fetch all of it."""

FETCHED_AT_MOST: Final = 10_000
"""Names of a larger directory are asked for one by one."""

FETCH_AGAIN_S: Final = 3.0
"""A directory that was too large, or slow, is left alone for so long."""

FETCHED_SOON_S: Final = 0.15


def lookup(mount: Mount, header: Header, body: Body) -> None:
    """LOOKUP."""
    assert isinstance(body, requests.Name)
    folder = mount.nodes.get(header.node)
    if mount.second_looks:
        look = mount.second_looks.of(folder, body.name, mount.server.asker(header))
        if look is not None:
            _look_again(mount, header, folder, body.name, look)
            return
    if _answer_from_listing(mount, header, folder, body.name):
        return
    _note_burst(mount, header, folder)
    if folder.fetch is None:
        _ask(mount, header, folder, body.name)
        return
    # What is being read whole just now will hold this name too, most likely.
    mount.wait(header)
    folder.fetch.append(lambda error: _after_fetch(mount, header, body.name, error))


def _look_again(mount: Mount, header: Header, folder: Node, name: bytes, look: SecondLook) -> None:
    """LOOKUP between two tries to open a file: what the name leads to is opened with it."""
    if look.opened is not None:
        # Linux forgets what it finds first, where it is another file, and looks once more.
        look.node = mount.tell_entry(header, folder, name, look.opened.entry)
        return

    def opened(reply: FileReply, payload: memoryview) -> None:
        assert isinstance(reply, filereplies.Opened)
        look.opened, look.payload = reply, bytes(payload)
        look.node = mount.tell_entry(header, folder, name, reply.entry)
        mount.second_looks.found(folder, name, look)

    def failed(error: int) -> None:
        if error in {errno.ETIMEDOUT, errno.EHOSTDOWN}:
            mount.fail(header, error)
        else:
            _ask(mount, header, folder, name)  # it may be none that can be opened

    mount.second_looks.begin(folder, name)
    path = mount.nodes.child_path(folder, name)
    asked = filerequests.Open(path, look.flags, bytes_ahead(mount, None, look.flags))
    in_order(mount, header, None, lambda: mount.server.ask(header, asked, opened, failed=failed))


def _answer_from_listing(mount: Mount, header: Header, folder: Node, name: bytes) -> bool:
    listed = mount.beliefs.listed(folder)
    if listed is None:
        return False
    entry = listed.entries.get(name, _ABSENT)
    if entry is _ABSENT:
        _tell_absence(mount, header)
        return True
    if entry is None or not mount.beliefs.stands(entry, listed.at_s):
        return False
    mount.tell_entry(header, folder, name, entry)
    return True


def _ask(mount: Mount, header: Header, folder: Node, name: bytes) -> None:
    written = mount.behind.keys() | mount.settings.keys()

    def found(reply: FileReply, _payload: memoryview) -> None:
        assert isinstance(reply, Entry)
        mount.tell_entry(header, folder, name, reply)

    def found_first(reply: FileReply, payload: memoryview) -> None:
        assert isinstance(reply, Entry)
        if key_of(reply) in written:
            # It may be older than writes that the kernel believes done. Of all files: they may be
            # of an inode that was known under another name.
            in_order(mount, header, None, lambda: ask(found))
        else:
            found(reply, payload)

    def ask(then: Then) -> None:
        asked = filerequests.Lookup(mount.nodes.child_path(folder, name))
        mount.server.ask(header, asked, then, failed=failed)

    def failed(error: int) -> None:
        if error == errno.ENOENT:
            _tell_absence(mount, header)
        else:
            mount.fail(header, error)

    ask(found_first)


def _tell_absence(mount: Mount, header: Header) -> None:
    """Answers that there is no such name.

    What the kernel must not remember at all, it takes out of its table when the next program looks,
    also while the first one makes that file: whose descriptor then has a name that is "(deleted)",
    by which CRIU does not find it (``fuse_dentry_revalidate`` in Linux).
    """
    believed_s = mount.beliefs.absence_told()
    if believed_s:
        mount.reply(header, replies.absent(believed_s))
    else:
        mount.fail(header, errno.ENOENT)


def _after_fetch(mount: Mount, header: Header, name: bytes, error: int) -> None:
    if not mount.waits(header):
        return
    if error in {errno.ETIMEDOUT, errno.EHOSTDOWN}:
        mount.fail(header, error)  # a second time would be waited for beyond the deadline
        return
    try:
        folder = mount.nodes.get(header.node)
        # A name that changed meanwhile is asked for itself: another fetch might miss it again.
        if not _answer_from_listing(mount, header, folder, name):
            _ask(mount, header, folder, name)
    except OSError as exc:
        mount.fail(header, exc.errno or errno.EIO)


_ABSENT: Final = Entry(b"", 0)
"""Tells a name that a whole listing does not have from one that has changed since."""


def _note_burst(mount: Mount, header: Header, folder: Node) -> None:
    """Fetches a directory beforehand where a program goes through it name by name."""
    now_s = time.monotonic()
    folder.burst = folder.burst + 1 if now_s - folder.burst_at_s < BURST_WITHIN_S else 1
    folder.burst_at_s = now_s
    if folder.burst >= BURST and now_s >= folder.fetch_after_s and mount.options.prefetch:
        folder.fetch_after_s = now_s + FETCH_AGAIN_S
        listed = mount.beliefs.listed(folder)
        if listed is not None and listed.names_only:
            mount.listings.names_were_not_enough(folder)
        Fetch(mount, folder, *mount.server.asker(header)).begin()


class Fetch:
    """Reads a whole directory, as one user."""

    def __init__(self, mount: Mount, folder: Node, user: str, group: str) -> None:
        self._mount, self._folder = mount, folder
        self._user, self._group = user, group
        self._at_s = time.monotonic()
        self._entries: dict[bytes, Entry | None] = {}

    def begin(self) -> None:
        """Asks for the beginning; lookups in the directory wait for the outcome."""
        asked = filerequests.OpenDirectory(self._mount.nodes.path(self._folder))
        self._folder.fetch, self._folder.fetch_missed = [], set()
        self._ask(asked)

    def _ask(self, body: filerequests.OpenDirectory | filerequests.ListMore) -> None:
        within_s = self._mount.options.deadline_s
        self._mount.server.link.ask(self._user, self._group, body, self._take, within_s=within_s)

    def _take(self, error: int, reply: FileReply | None, _payload: memoryview) -> None:
        if error or not isinstance(reply, filereplies.Listing):
            self._end(error)
            return
        self._entries.update(reply.entries)
        useful = len(self._entries) <= FETCHED_AT_MOST
        if reply.handle and useful:
            self._ask(filerequests.ListMore(reply.handle))
            return
        if reply.handle:
            self._mount.server.tell(filerequests.Release(reply.handle))
        elif useful:
            for name in self._folder.fetch_missed or ():
                self._entries[name] = None
            self._folder.listed = Listed(self._at_s, self._entries)
            if time.monotonic() - self._at_s < FETCHED_SOON_S:
                self._folder.fetch_after_s = 0.0
        self._end(0)

    def _end(self, error: int) -> None:
        waiting, self._folder.fetch = self._folder.fetch, None
        self._folder.fetch_missed = None
        for again in waiting or ():
            again(error)


def forget(mount: Mount, header: Header, body: Body) -> None:
    """FORGET, BATCH_FORGET, to which there is no answer."""
    assert isinstance(body, requests.Forget)
    for number, times in body.counts:
        mount.nodes.forget(number or header.node, times)


def get_attributes(mount: Mount, header: Header, body: Body) -> None:
    """GETATTR, of a path or of an open file."""
    assert isinstance(body, requests.GetAttr)
    node = mount.nodes.get(header.node)

    def found(reply: FileReply, _payload: memoryview) -> None:
        assert isinstance(reply, Entry)
        mount.beliefs.check_same(node, reply)
        attributes = mount.told(node, reply)
        mount.reply(header, replies.attributes(attributes, mount.options.attributes_s))

    file = mount.handles.files.get(body.handle) if body.flags & abi.GETATTR_FH else None
    if file is None:
        listed = mount.beliefs.of(node)
        if listed is not None:
            found(listed, memoryview(b""))
            return
        vouched_s = mount.beliefs.vouched_s(node)
        if vouched_s > 0:
            mount.beliefs.told(node)
            mount.reply(header, replies.attributes(node.told, vouched_s))
            return
        try:
            path = mount.nodes.path(node)
        except Stale:
            file = mount.handles.of_node(node)
            if file is None:
                raise
    if file is not None:
        mount.server.ask(header, filerequests.GetAttributes(file.handle), found, as_opener=file)
        return

    _attributes_at(mount, header, node, path, found)


def _attributes_at(mount: Mount, header: Header, node: Node, path: bytes, found: Then) -> None:
    def by_handle() -> bool:
        """Asks by an open file: another node may have removed or renamed its name."""
        opened = mount.handles.of_node(node)
        if opened is not None:
            mount.server.ask(
                header, filerequests.GetAttributes(opened.handle), found, as_opener=opened
            )
        return opened is not None

    def found_by_path(reply: FileReply, payload: memoryview) -> None:
        assert isinstance(reply, Entry)
        if node is mount.nodes.root or key_of(reply) == node.key or not by_handle():
            found(reply, payload)

    def failed(error: int) -> None:
        is_gone = error in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
        if is_gone and by_handle():
            return
        if is_gone and not _is_directory(node):
            # Linux asks on the way to open(2), which may be to make it; it looks for the name then.
            mount.beliefs.changed(node)
            error = errno.ESTALE
        # The root is shown as it was, so that `ls -l` of all nodes works while one is away.
        if node is mount.nodes.root and error in {errno.ETIMEDOUT, errno.EHOSTDOWN}:
            attributes = node.told or _some_directory()
            mount.reply(header, replies.attributes(attributes, mount.options.attributes_s))
        else:
            mount.fail(header, error)

    mount.server.ask(header, filerequests.Lookup(path), found_by_path, failed=failed)


def _is_directory(node: Node) -> bool:
    return bool(node.told) and stat.S_ISDIR(ATTRIBUTES.unpack(node.told)[ATTRIBUTE_MODE])


def _some_directory() -> bytes:
    return ATTRIBUTES.pack(1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40555, 2, 0, 0, 0, 4096, 0)


def read_link(mount: Mount, header: Header, _body: Body) -> None:
    """READLINK, to which the answer came with the name and holds as long as that is believed."""
    node = mount.nodes.get(header.node)
    if node.target:
        mount.reply(header, node.target)
        return
    path = mount.nodes.path(node)

    def found(reply: FileReply, _payload: memoryview) -> None:
        assert isinstance(reply, filereplies.Text)
        mount.reply(header, reply.value)

    mount.server.ask(header, filerequests.ReadLink(path), found)


def space(mount: Mount, header: Header, _body: Body) -> None:
    """STATFS."""
    path = mount.nodes.path(mount.nodes.get(header.node))

    def found(reply: FileReply, _payload: memoryview) -> None:
        assert isinstance(reply, filereplies.Space)
        packed = replies.space(
            reply.blocks, reply.free, reply.available, reply.files, reply.files_free,
            reply.block_bytes, reply.name_bytes, reply.fragment_bytes,
        )  # fmt: skip
        mount.reply(header, packed)

    mount.server.ask(header, filerequests.GetSpace(path), found)
