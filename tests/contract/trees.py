"""Trees for tests: this machine's, and the same files by a file server that needs no socket."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nodeagent.filesystem.server.credentials import Identity
from nodeagent.filesystem.server.exports import Export, Exports
from nodeagent.filesystem.server.operations import Operations
from nodeagent.filesystem.server.paths import Paths
from nodeagent.filesystem.server.session import Session
from nodeagent.filesystem.server.tree import Tree as ServedTree
from ssi.client.files.errors import FileFailed
from ssi.client.files.local import LocalTree
from ssi.client.files.remote import RemoteTree
from ssi.client.files.tree import Tree
from ssi.protocol.fileframes import Asked
from ssi.protocol.filereplies import FileReply
from ssi.protocol.filerequests import FileRequest

ME = Identity(user=pwd.getpwuid(os.geteuid()).pw_name, uid=os.geteuid(), gid=0, groups=())


@dataclass
class Server:
    """A file server's deeds, asked as :class:`~ssi.client.files.guest.NodeLink` is.

    Attributes:
        node: What it calls itself in errors.
        asked: All that it was asked.
        refuse: Raises for a request that is to fail.
    """

    node: str = "n1"
    asked: list[FileRequest] = field(default_factory=list)
    refuse: Callable[[FileRequest], None] = lambda _: None

    def __post_init__(self) -> None:
        everything = Exports((Export(b""),), ())
        self._operations = Operations(Paths(ServedTree("/"), lambda: everything))
        self._session = Session("guest")

    @property
    def users(self) -> Mapping[int, str]:
        return {entry.pw_uid: entry.pw_name for entry in pwd.getpwall()}

    @property
    def groups(self) -> Mapping[int, str]:
        return {entry.gr_gid: entry.gr_name for entry in grp.getgrall()}

    async def ask(
        self, body: FileRequest, data: bytes | memoryview = b""
    ) -> tuple[FileReply, memoryview]:
        self.asked.append(body)
        before = os.umask(0)
        try:
            self.refuse(body)
            asked = Asked(1, b"", ME.user, "", body)
            reply, behind = self._operations.perform(self._session, asked, memoryview(data), ME)
        except OSError as exc:
            if exc.errno is None:
                raise
            raise type(exc)(exc.errno, os.strerror(exc.errno), f"{self.node}:") from exc
        finally:
            os.umask(before)
        return reply, memoryview(behind)

    def tell(self, body: FileRequest) -> None:
        asked = Asked(1, b"", ME.user, "", body)
        self._operations.perform(self._session, asked, memoryview(b""), ME)

    @property
    def open_files(self) -> int:
        return len(self._session.files)


def remote_tree(server: Server) -> Tree:
    """All files of this machine as those of a node."""
    return RemoteTree(server.node, ME.user, b"/root", server)


def local_tree() -> Tree:
    """All files of this machine."""
    return LocalTree()


@dataclass
class Told:
    """What a copy reported."""

    files: int = 0
    found_bytes: int = 0
    moved_bytes: int = 0
    done: list[str] = field(default_factory=list)
    failures: list[FileFailed] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def found(self, size_bytes: int) -> None:
        self.files += 1
        self.found_bytes += size_bytes

    def moved(self, size_bytes: int) -> None:
        self.moved_bytes += size_bytes

    def copied(self, source: str, target: str) -> None:
        self.done.append(f"{source} -> {target}")

    def failed(self, error: FileFailed) -> None:
        self.failures.append(error)

    def warned(self, text: str) -> None:
        self.warnings.append(text)
