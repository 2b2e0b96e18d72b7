"""From a request to the function that carries it out, and as whom."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import structs

from nodeagent.filesystem.server.credentials import Identity
from nodeagent.filesystem.server.locks import Locks
from nodeagent.filesystem.server.openfiles import OpenFiles
from nodeagent.filesystem.server.paths import Paths, refusal
from nodeagent.filesystem.server.placing import put
from nodeagent.filesystem.server.session import Session
from ssi.protocol import filereplies, filerequests
from ssi.protocol.fileframes import Asked
from ssi.protocol.filereplies import FileReply
from ssi.protocol.filerequests import FileRequest

NOBODYS: Final = frozenset(
    {
        filerequests.Release,
        filerequests.Ping,
        filerequests.Bye,
        filerequests.Cancel,
        filerequests.Hello,
        filerequests.ListMore,
    }
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
            filerequests.Lookup: paths.lookup,
            filerequests.ReadLink: paths.read_link,
            filerequests.GetSpace: paths.space,
            filerequests.MakeNode: paths.make_node,
            filerequests.MakeDirectory: paths.make_directory,
            filerequests.MakeSymlink: paths.make_symlink,
            filerequests.MakeLink: paths.make_link,
            filerequests.Unlink: paths.unlink,
            filerequests.RemoveDirectory: paths.remove_directory,
            filerequests.Rename: paths.rename,
            filerequests.SyncDirectory: paths.sync_directory,
            filerequests.GetExtended: paths.get_extended,
            filerequests.ListExtended: paths.list_extended,
            filerequests.SetExtended: paths.set_extended,
            filerequests.RemoveExtended: paths.remove_extended,
        }
        self._opening: Mapping[type, Callable[[Session, Any, Identity], FileReply]] = {
            filerequests.Create: opened.create,
            filerequests.OpenDirectory: opened.open_directory,
        }
        self._by_handle: Mapping[type, Callable[[Session, Any], FileReply]] = {
            filerequests.Sync: opened.sync,
            filerequests.Release: opened.release,
            filerequests.GetAttributes: opened.attributes,
            filerequests.Allocate: opened.allocate,
            filerequests.Seek: opened.seek,
            filerequests.CopyRange: opened.copy,
            filerequests.ListMore: opened.list_more,
            filerequests.Lock: self.locks.take,
            filerequests.TestLock: self.locks.test,
            filerequests.Digest: opened.digest,
        }
        self._paths = paths
        self._opened = opened

    def identity_of_handle(self, session: Session, body: object) -> Identity | None:
        """Who opened what the request names by a handle; None where it names none.

        Raises:
            OSError: ``EBADF``.
        """
        if isinstance(body, filerequests.ListMore):
            rest = session.rests.get(body.handle)
            if rest is None:
                raise refusal(errno.EBADF)
            return rest.identity
        handle = getattr(body, "handle", 0)
        if not handle or isinstance(body, filerequests.Release):
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
        if isinstance(body, filerequests.Read):
            return filereplies.Nothing(), self._opened.read(session, body)
        if isinstance(body, filerequests.Write):
            return self._opened.write(session, body, data), b""
        if isinstance(body, filerequests.Put):
            return put(self._paths, body, data), b""
        if isinstance(body, filerequests.SetAttributes):
            named = self._paths.set_attributes
            return self._opened.set_attributes(session, body) if body.handle else named(body), b""
        if isinstance(body, filerequests.Open):
            opened = self._opened.open(session, body, identity)
            return opened, self._opened.ahead(session, body, opened) if body.ahead else b""
        if kind in self._by_path:
            return self._with_above(body, self._by_path[kind](body)), b""
        if kind in self._by_handle:
            return self._by_handle[kind](session, body), b""
        if kind in self._opening:
            return self._with_above(body, self._opening[kind](session, body, identity)), b""
        raise refusal(errno.ENOSYS)

    def _with_above(self, body: FileRequest, reply: FileReply) -> FileReply:
        """The reply with what the directory has become: the asking kernel asks for that next."""
        match body:
            case (
                filerequests.Create(path=path)
                | filerequests.MakeNode(path=path)
                | filerequests.MakeDirectory(path=path)
                | filerequests.MakeSymlink(path=path)
                | filerequests.MakeLink(new=path)
            ):
                above = self._paths.above(path)
            case _:
                return reply
        if isinstance(reply, filereplies.Opened):
            return structs.replace(reply, entry=structs.replace(reply.entry, above=above))
        if isinstance(reply, filereplies.Entry):
            return structs.replace(reply, above=above)
        return reply
