"""A file server's deeds on a real directory, without FUSE and without sockets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nodeagent.filesystem.server.credentials import Identity
from nodeagent.filesystem.server.exports import Exports
from nodeagent.filesystem.server.operations import Operations
from nodeagent.filesystem.server.paths import Paths
from nodeagent.filesystem.server.session import Session
from nodeagent.filesystem.server.tree import Tree
from ssi.protocol import filereplies, filerequests
from ssi.protocol.fileframes import Asked
from ssi.protocol.filereplies import FileReply
from ssi.protocol.filerequests import FileRequest

ME = Identity(user="me", uid=os.geteuid(), gid=os.getegid(), groups=())


class Deeds:
    """A directory that is served."""

    def __init__(self, root: Path, exports: Exports) -> None:
        self.root = root
        self.operations = Operations(Paths(Tree(str(root)), lambda: exports))
        self.session = Session("n1")

    def ask(self, body: FileRequest, data: bytes = b"") -> FileReply:
        asked = Asked(1, b"", "me", "", body)
        return self.operations.perform(self.session, asked, memoryview(data), ME)[0]

    def read(self, body: filerequests.Read) -> bytes:
        asked = Asked(1, b"", "me", "", body)
        return self.operations.perform(self.session, asked, memoryview(b""), ME)[1]

    def open(self, path: bytes, flags: int) -> int:
        reply = self.ask(filerequests.Open(path, flags))
        assert isinstance(reply, filereplies.Opened)
        return reply.handle

    def refused(self, body: FileRequest) -> int:
        with pytest.raises(OSError, match=r"\[Errno \d+\]") as caught:
            self.ask(body)
        assert caught.value.errno is not None
        return caught.value.errno
