"""Extended attributes. Most files have none, which their entry tells: then nobody is asked."""

from __future__ import annotations

import errno
import time
from typing import Final

from nodeagent.filesystem.freshness import DOUBT
from nodeagent.filesystem.fuse import replies, requests
from nodeagent.filesystem.fuse.requests import Body, Header
from nodeagent.filesystem.mount.mount import Mount
from nodeagent.filesystem.mount.ordering import in_order
from ssi.protocol import filereplies, filerequests
from ssi.protocol.filereplies import FileReply

_DOUBT: Final = DOUBT.encode()


def get(mount: Mount, header: Header, body: Body) -> None:
    """GETXATTR."""
    assert isinstance(body, requests.GetXattr)
    node = mount.nodes.get(header.node)
    if body.name == _DOUBT:
        for doubted in mount.beliefs.doubt():
            mount.notify(replies.forget_attributes(doubted.number))
        # That names are absent it cannot be made to forget.
        mount.fail_after(mount.beliefs.absence_s, header, errno.ENODATA)
        return
    if time.monotonic() < node.plain_until_s:
        mount.fail(header, errno.ENODATA)
        return

    def ask() -> None:
        asked = filerequests.GetExtended(mount.nodes.path(node), body.name)
        _ask(mount, header, asked, body.size)

    in_order(mount, header, None, ask)


def list_names(mount: Mount, header: Header, body: Body) -> None:
    """LISTXATTR."""
    assert isinstance(body, requests.ListXattr)
    node = mount.nodes.get(header.node)
    if time.monotonic() < node.plain_until_s:
        mount.reply(header, b"" if body.size else replies.written(0))
        return

    def ask() -> None:
        _ask(mount, header, filerequests.ListExtended(mount.nodes.path(node)), body.size)

    in_order(mount, header, None, ask)


def _ask(
    mount: Mount,
    header: Header,
    asked: filerequests.GetExtended | filerequests.ListExtended,
    size: int,
) -> None:
    def found(reply: FileReply, _payload: memoryview) -> None:
        assert isinstance(reply, filereplies.Text)
        if not size:
            mount.reply(header, replies.written(len(reply.value)))
        elif len(reply.value) > size:
            mount.fail(header, errno.ERANGE)
        else:
            mount.reply(header, reply.value)

    mount.server.ask(header, asked, found)


def put(mount: Mount, header: Header, body: Body) -> None:
    """SETXATTR."""
    assert isinstance(body, requests.SetXattr)
    node = mount.nodes.get(header.node)
    path = mount.nodes.path(node)
    asked = filerequests.SetExtended(path, body.name, body.value, body.flags)
    node.plain_until_s = 0.0
    mount.beliefs.changed(node)
    mount.server.ask(header, asked, lambda _reply, _payload: mount.reply(header), once=True)


def remove(mount: Mount, header: Header, body: Body) -> None:
    """REMOVEXATTR."""
    assert isinstance(body, requests.Name)
    node = mount.nodes.get(header.node)
    asked = filerequests.RemoveExtended(mount.nodes.path(node), body.name)
    mount.beliefs.changed(node)
    mount.server.ask(header, asked, lambda _reply, _payload: mount.reply(header), once=True)
