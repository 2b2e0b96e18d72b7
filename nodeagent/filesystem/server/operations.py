"""From a request to the function that carries it out, and as whom."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import Any, Final

from nodeagent.filesystem.server.credentials import Identity
from nodeagent.filesystem.server.locks import Locks
from nodeagent.filesystem.server.openfiles import OpenFiles
from nodeagent.filesystem.server.paths import Paths, refusal
from nodeagent.filesystem.server.session import Session
from ssi.protocol import files
from ssi.protocol.files import Asked, FileReply

NOBODYS: Final = frozenset(
    {files.Release, files.Ping, files.Bye, files.Cancel, files.Hello, files.ListMore}
)
"""Requests that are done as nobody in particular, for they touch no file by its name."""


class Operations:
    """See the module.

    Args:
        paths: What is served.
    """

    def __init__(self, paths: Paths) -> None:
        opened = OpenFiles(paths)
        self.locks = Locks()
        # Any: each function takes the one kind of request under which it stands.
        self._by_path: Mapping[type, Callable[[Any], FileReply]] = {
            files.Lookup: paths.lookup,
            files.ReadLink: paths.read_link,
            files.GetSpace: paths.space,
            files.MakeNode: paths.make_node,
            files.MakeDirectory: paths.make_directory,
            files.MakeSymlink: paths.make_symlink,
            files.MakeLink: paths.make_link,
            files.Unlink: paths.unlink,
            files.RemoveDirectory: paths.remove_directory,
            files.Rename: paths.rename,
            files.SyncDirectory: paths.sync_directory,
            files.GetExtended: paths.get_extended,
            files.ListExtended: paths.list_extended,
            files.SetExtended: paths.set_extended,
            files.RemoveExtended: paths.remove_extended,
        }
        self._opening: Mapping[type, Callable[[Session, Any, Identity], FileReply]] = {
            files.Create: opened.create,
            files.OpenDirectory: opened.open_directory,
        }
        self._by_handle: Mapping[type, Callable[[Session, Any], FileReply]] = {
            files.Sync: opened.sync,
            files.Release: opened.release,
            files.GetAttributes: opened.attributes,
            files.Allocate: opened.allocate,
            files.Seek: opened.seek,
            files.CopyRange: opened.copy,
            files.ListMore: opened.list_more,
            files.Lock: self.locks.take,
            files.TestLock: self.locks.test,
        }
        self._paths = paths
        self._opened = opened

    def identity_of_handle(self, session: Session, body: object) -> Identity | None:
        """Who opened what the request names by a handle; None where it names none.

        Raises:
            OSError: ``EBADF``.
        """
        if isinstance(body, files.ListMore):
            rest = session.rests.get(body.handle)
            if rest is None:
                raise refusal(errno.EBADF)
            return rest.identity
        handle = getattr(body, "handle", 0)
        if not handle or isinstance(body, files.Release):
            return None
        return session.file(handle).identity

    def perform(
        self, session: Session, asked: Asked, data: memoryview, identity: Identity
    ) -> tuple[FileReply, bytes]:
        """Carries it out, in a thread that is ``identity`` already.

        Raises:
            OSError: As the system calls fail.
        """
        body = asked.body
        kind = type(body)
        if isinstance(body, files.Read):
            return files.Nothing(), self._opened.read(session, body)
        if isinstance(body, files.Write):
            return self._opened.write(session, body, data), b""
        if isinstance(body, files.SetAttributes):
            if body.handle:
                return self._opened.set_attributes(session, body), b""
            return self._paths.set_attributes(body), b""
        if isinstance(body, files.Open):
            opened = self._opened.open(session, body, identity)
            return opened, self._opened.ahead(session, body, opened) if body.ahead else b""
        if kind in self._by_path:
            return self._by_path[kind](body), b""
        if kind in self._by_handle:
            return self._by_handle[kind](session, body), b""
        if kind in self._opening:
            return self._opening[kind](session, body, identity), b""
        raise refusal(errno.ENOSYS)
