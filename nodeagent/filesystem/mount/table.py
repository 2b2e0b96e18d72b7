"""From what the kernel asks to what answers it, and what is agreed on at the start."""

from __future__ import annotations

from typing import Final

from nodeagent.filesystem.fuse import replies, requests
from nodeagent.filesystem.fuse.abi import Init, Opcode
from nodeagent.filesystem.fuse.requests import Body, Header
from nodeagent.filesystem.mount import (
    changes,
    directories,
    extended,
    locking,
    lookups,
    openfiles,
)
from nodeagent.filesystem.mount.mount import Handler, Mount

WANTED: Final = (
    Init.ASYNC_READ
    | Init.POSIX_LOCKS
    | Init.FLOCK_LOCKS
    | Init.ATOMIC_O_TRUNC
    | Init.BIG_WRITES
    | Init.AUTO_INVAL_DATA
    | Init.DO_READDIRPLUS
    | Init.READDIRPLUS_AUTO
    | Init.PARALLEL_DIROPS
    | Init.MAX_PAGES
    | Init.HANDLE_KILLPRIV_V2
    | Init.INIT_EXT
    | Init.HAS_RESEND
)
"""No write-back cache: it would lose what other nodes append meanwhile (measured)."""


def initialise(mount: Mount, header: Header, body: Body) -> None:
    """INIT."""
    assert isinstance(body, requests.Initialise)
    agreed = body.flags & WANTED
    mount.reply(header, replies.initialised(body.minor, body.readahead_bytes, agreed))


def destroy(mount: Mount, header: Header, _body: Body) -> None:
    """DESTROY."""
    mount.reply(header)


HANDLERS: Final[dict[int, Handler]] = {
    Opcode.INIT: initialise,
    Opcode.DESTROY: destroy,
    Opcode.LOOKUP: lookups.lookup,
    Opcode.FORGET: lookups.forget,
    Opcode.BATCH_FORGET: lookups.forget,
    Opcode.GETATTR: lookups.get_attributes,
    Opcode.SETATTR: lookups.set_attributes,
    Opcode.READLINK: lookups.read_link,
    Opcode.STATFS: lookups.space,
    Opcode.MKNOD: changes.make_node,
    Opcode.MKDIR: changes.make_directory,
    Opcode.SYMLINK: changes.make_symlink,
    Opcode.LINK: changes.make_link,
    Opcode.UNLINK: changes.unlink,
    Opcode.RMDIR: changes.remove_directory,
    Opcode.RENAME: changes.rename,
    Opcode.RENAME2: changes.rename,
    Opcode.OPEN: openfiles.open_file,
    Opcode.CREATE: openfiles.create,
    Opcode.READ: openfiles.read,
    Opcode.WRITE: openfiles.write,
    Opcode.FLUSH: openfiles.flush,
    Opcode.RELEASE: openfiles.release,
    Opcode.FSYNC: openfiles.sync,
    Opcode.FALLOCATE: openfiles.allocate,
    Opcode.LSEEK: openfiles.seek,
    Opcode.COPY_FILE_RANGE: openfiles.copy,
    Opcode.OPENDIR: directories.open_directory,
    Opcode.READDIR: directories.read_directory,
    Opcode.READDIRPLUS: directories.read_directory,
    Opcode.RELEASEDIR: directories.release_directory,
    Opcode.FSYNCDIR: directories.sync_directory,
    Opcode.GETXATTR: extended.get,
    Opcode.LISTXATTR: extended.list_names,
    Opcode.SETXATTR: extended.put,
    Opcode.REMOVEXATTR: extended.remove,
    Opcode.GETLK: locking.test,
    Opcode.SETLK: locking.lock,
    Opcode.SETLKW: locking.lock,
}
