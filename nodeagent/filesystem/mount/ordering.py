"""What waits for what the kernel was told is done: all that could tell that it is not.

What changes something waits for all of them, so that another node never sees it without what was
written before, and what looks at an inode for those of that inode. They wait for the writes that
are there, not for later ones: the kernel takes no attributes of a request that was under way when
a write of the same inode was said to be done (``fuse_change_attributes`` in Linux).
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from nodeagent.filesystem.fuse.requests import Body, Header
from nodeagent.filesystem.mount.mount import Handler, Mount
from nodeagent.filesystem.mount.nodes import Node, Stale


def in_order(mount: Mount, header: Header, node: Node | None, do: Callable[[], None]) -> None:
    """Does what comes after the writes and settings of an inode; of all where it is None."""

    def now() -> None:
        if not mount.waits(header):
            return
        try:
            do()
        except OSError as exc:
            mount.fail(header, exc.errno or errno.EIO)

    def after_writes() -> None:
        if not (mount.settings.is_busy and mount.settings.when_set(node, now)):
            now()

    if not (mount.behind.is_busy or mount.settings.is_busy):
        do()
        return
    mount.wait(header)
    if not mount.behind.when_answered(node, after_writes):
        after_writes()


def after_its_writes(handler: Handler) -> Handler:
    """Waits for those of the inode that the request names."""

    def handle(mount: Mount, header: Header, body: Body) -> None:
        if not (mount.behind.is_busy or mount.settings.is_busy):
            handler(mount, header, body)
            return
        try:
            node = mount.nodes.get(header.node)
        except Stale:
            handler(mount, header, body)
        else:
            in_order(mount, header, node, lambda: handler(mount, header, body))

    return handle


def after_all_writes(handler: Handler) -> Handler:
    """Waits for all: it changes something, or does not say which inode it is about."""

    def handle(mount: Mount, header: Header, body: Body) -> None:
        in_order(mount, header, None, lambda: handler(mount, header, body))

    return handle
