"""Open files whose handles the server has forgotten: opened again by their path."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TypeAlias

from msgspec import structs

from nodeagent.filesystem.mount.handles import File
from nodeagent.filesystem.mount.nodes import Nodes, key_of
from ssi.protocol import filereplies, filerequests
from ssi.protocol.filereplies import FileReply
from ssi.protocol.filerequests import FileRequest
from ssi.transport.filelink import LOST, FileLink

Answered: TypeAlias = Callable[[int, FileReply | None], None]
"""Takes 0 or an errno, and the reply."""

Ask: TypeAlias = Callable[[FileRequest, Answered], None]
"""Asks as whoever opened a file."""


def ask_as_opener(
    link: FileLink,
    nodes: Nodes,
    file: File,
    body: FileRequest,
    then: Answered,
    *,
    data: bytes | memoryview,
    within_s: float,
) -> None:
    """Asks for something that is done with an open file, which is opened again if need be."""

    def ask(asked: FileRequest, answered: Answered) -> None:
        link.ask(
            file.user, file.group, asked, lambda error, reply, _payload: answered(error, reply),
            data=data if isinstance(asked, type(body)) else b"", within_s=within_s,
        )  # fmt: skip

    def tell(released: FileRequest) -> None:
        link.ask("", "", released, lambda _error, _reply, _payload: None, within_s=within_s)

    def may_ask(error: int) -> None:
        if error:
            then(error, None)
        else:
            ask(structs.replace(body, handle=file.handle), answered)

    def answered(error: int, reply: FileReply | None) -> None:
        if error == LOST:
            open_again(file, nodes, ask, tell, may_ask)
        else:
            then(error, reply)

    if file.is_lost:
        answered(LOST, None)
    else:
        ask(body, answered)


def open_again(
    file: File,
    nodes: Nodes,
    ask: Ask,
    tell: Callable[[FileRequest], None],
    then: Callable[[int], None],
) -> None:
    """Opens a file by its path, unless somebody else has done so.

    Args:
        file: Its handle was forgotten.
        nodes: Where its path is looked up.
        ask: See there.
        tell: Asks for something whose outcome nobody waits for.
        then: Told 0 once the handle may be used, or an errno.
    """
    if file.error or not file.is_lost:
        then(file.error)
        return
    try:
        path = nodes.path(file.node)
    except OSError:
        file.error = errno.EIO
        then(errno.EIO)
        return

    def opened(error: int, reply: FileReply | None) -> None:
        if error or not isinstance(reply, filereplies.Opened):
            then(error or errno.EIO)
        elif key_of(reply.entry) != file.node.key:
            file.error = errno.EIO
            tell(filerequests.Release(reply.handle))
            then(errno.EIO)
        else:
            if file.is_lost:
                file.handle, file.is_lost = reply.handle, False
            else:
                tell(filerequests.Release(reply.handle))
            then(0)

    flags = file.flags & ~(os.O_CREAT | os.O_EXCL | os.O_TRUNC)
    ask(filerequests.Open(path, flags), opened)
