"""From what the kernel asks to what answers it, and what is agreed on at the start."""

from __future__ import annotations

from typing import Final

from nodeagent.filesystem.fuse import replies, requests
from nodeagent.filesystem.fuse.abi import READ_AHEAD_BYTES, Init, Opcode
from nodeagent.filesystem.fuse.requests import Body, Header
from nodeagent.filesystem.mount import (
    attributes,
    changes,
    directories,
    extended,
    locking,
    lookups,
    openfiles,
)
from nodeagent.filesystem.mount.mount import Handler, Mount
from nodeagent.filesystem.mount.ordering import after_all_writes, after_its_writes

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
    # More than the kernel offers, as it takes the least of this and of what the mount's device has,
    # which the warden sets before the kernel hears of this.
    ahead_bytes = max(body.readahead_bytes, READ_AHEAD_BYTES)
    mount.reply(header, replies.initialised(body.minor, ahead_bytes, agreed))


def destroy(mount: Mount, header: Header, _body: Body) -> None:
    """DESTROY."""
    mount.reply(header)


HANDLERS: Final[dict[int, Handler]] = {
    Opcode.INIT: initialise,
    Opcode.DESTROY: destroy,
    Opcode.LOOKUP: lookups.lookup,
    Opcode.FORGET: lookups.forget,
    Opcode.BATCH_FORGET: lookups.forget,
    Opcode.GETATTR: after_its_writes(lookups.get_attributes),
    Opcode.SETATTR: attributes.set_attributes,
    Opcode.READLINK: lookups.read_link,
    Opcode.STATFS: after_all_writes(lookups.space),
    Opcode.MKNOD: after_all_writes(changes.make_node),
    Opcode.MKDIR: after_all_writes(changes.make_directory),
    Opcode.SYMLINK: after_all_writes(changes.make_symlink),
    Opcode.LINK: after_all_writes(changes.make_link),
    Opcode.UNLINK: after_all_writes(changes.unlink),
    Opcode.RMDIR: after_all_writes(changes.remove_directory),
    Opcode.RENAME: after_all_writes(changes.rename),
    Opcode.RENAME2: after_all_writes(changes.rename),
    Opcode.OPEN: openfiles.open_file,
    Opcode.CREATE: after_all_writes(openfiles.create),
    Opcode.READ: after_its_writes(openfiles.read),
    Opcode.WRITE: openfiles.write,
    Opcode.FLUSH: openfiles.flush,
    Opcode.RELEASE: openfiles.release,
    Opcode.FSYNC: after_its_writes(openfiles.sync),
    Opcode.FALLOCATE: after_all_writes(openfiles.allocate),
    Opcode.LSEEK: after_its_writes(openfiles.seek),
    Opcode.COPY_FILE_RANGE: after_all_writes(openfiles.copy),
    Opcode.OPENDIR: directories.open_directory,
    Opcode.READDIR: directories.read_directory,
    Opcode.READDIRPLUS: directories.read_directory,
    Opcode.RELEASEDIR: directories.release_directory,
    Opcode.FSYNCDIR: directories.sync_directory,
    Opcode.GETXATTR: extended.get,
    Opcode.LISTXATTR: extended.list_names,
    Opcode.SETXATTR: after_all_writes(extended.put),
    Opcode.REMOVEXATTR: after_all_writes(extended.remove),
    Opcode.GETLK: after_its_writes(locking.test),
    Opcode.SETLK: after_all_writes(locking.lock),
    Opcode.SETLKW: after_all_writes(locking.lock),
}
