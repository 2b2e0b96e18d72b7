"""Names that are made, removed and renamed, as the kernel asks for it."""

from __future__ import annotations

import time
from typing import Final

from nodeagent.filesystem.fuse import requests
from nodeagent.filesystem.fuse.requests import Body, Header
from nodeagent.filesystem.mount.mount import Mount
from nodeagent.filesystem.mount.nodes import Listed, Node
from ssi.protocol import filereplies, filerequests
from ssi.protocol.filereplies import Entry, FileReply
from ssi.protocol.filerequests import FileRequest

_RENAME_EXCHANGE: Final = 2


def make_node(mount: Mount, header: Header, body: Body) -> None:
    """MKNOD."""
    assert isinstance(body, requests.MakeNode)
    folder = mount.nodes.get(header.node)
    path = mount.nodes.child_path(folder, body.name)
    _make(mount, header, folder, body.name, filerequests.MakeNode(path, body.mode, body.device))


def make_directory(mount: Mount, header: Header, body: Body) -> None:
    """MKDIR."""
    assert isinstance(body, requests.MakeNode)
    folder = mount.nodes.get(header.node)
    path = mount.nodes.child_path(folder, body.name)
    _make(mount, header, folder, body.name, filerequests.MakeDirectory(path, body.mode))


def make_symlink(mount: Mount, header: Header, body: Body) -> None:
    """SYMLINK."""
    assert isinstance(body, requests.Symlink)
    folder = mount.nodes.get(header.node)
    path = mount.nodes.child_path(folder, body.name)
    _make(mount, header, folder, body.name, filerequests.MakeSymlink(path, body.target))


def make_link(mount: Mount, header: Header, body: Body) -> None:
    """LINK."""
    assert isinstance(body, requests.Link)
    node = mount.nodes.get(body.node)
    folder = mount.nodes.get(header.node)
    asked = filerequests.MakeLink(mount.nodes.path(node), mount.nodes.child_path(folder, body.name))
    mount.beliefs.changed(node)
    _make(mount, header, folder, body.name, asked)


def _make(mount: Mount, header: Header, folder: Node, name: bytes, asked: FileRequest) -> None:
    mount.beliefs.name_changed(folder, name)
    asked_s, changes = time.monotonic(), folder.changes

    def made(reply: FileReply, _payload: memoryview) -> None:
        assert isinstance(reply, Entry)
        is_only = folder.changes == changes
        is_link = isinstance(asked, filerequests.MakeLink)
        if is_link:
            mount.beliefs.links_changed()
        mount.beliefs.name_changed(folder, name, reply)
        if is_only and reply.above:
            mount.told_of_folder(folder, reply.above)
        node = mount.tell_entry(header, folder, name, reply, fresh=not is_link)
        if isinstance(asked, filerequests.MakeDirectory) and mount.options.prefetch:
            node.listed = Listed(asked_s, {})  # what is made in it next needs no look

    mount.server.ask(header, asked, made, once=True)


def unlink(mount: Mount, header: Header, body: Body) -> None:
    """UNLINK."""
    assert isinstance(body, requests.Name)
    folder = mount.nodes.get(header.node)
    path = mount.nodes.child_path(folder, body.name)
    _remove(mount, header, folder, body.name, filerequests.Unlink(path))


def remove_directory(mount: Mount, header: Header, body: Body) -> None:
    """RMDIR."""
    assert isinstance(body, requests.Name)
    folder = mount.nodes.get(header.node)
    path = mount.nodes.child_path(folder, body.name)
    _remove(mount, header, folder, body.name, filerequests.RemoveDirectory(path))


def _remove(mount: Mount, header: Header, folder: Node, name: bytes, asked: FileRequest) -> None:
    mount.beliefs.name_changed(folder, name)
    changes = folder.changes

    def removed(reply: FileReply, _payload: memoryview) -> None:
        assert isinstance(reply, filereplies.Nothing)
        is_only = folder.changes == changes
        mount.beliefs.name_removed(folder, name)
        mount.nodes.removed(folder, name)
        if is_only and reply.above:
            mount.told_of_folder(folder, reply.above)
        mount.reply(header)

    mount.server.ask(header, asked, removed, once=True)


def rename(mount: Mount, header: Header, body: Body) -> None:
    """RENAME, RENAME2."""
    assert isinstance(body, requests.Rename)
    folder, new_folder = mount.nodes.get(header.node), mount.nodes.get(body.folder)
    path = mount.nodes.child_path(folder, body.name)
    new = mount.nodes.child_path(new_folder, body.new)
    places = ((folder, body.name), (new_folder, body.new))
    for place, name in places:
        mount.beliefs.name_changed(place, name)

    def renamed(_reply: FileReply, _payload: memoryview) -> None:
        for place, name in places:
            mount.beliefs.name_removed(place, name)
            mount.beliefs.name_changed(place, name)
        if body.flags & _RENAME_EXCHANGE:
            mount.nodes.exchanged(folder, body.name, new_folder, body.new)
        else:
            mount.nodes.renamed(folder, body.name, new_folder, body.new)
        mount.reply(header)

    mount.server.ask(header, filerequests.Rename(path, new, body.flags), renamed, once=True)
