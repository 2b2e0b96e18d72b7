"""A small file that comes whole: what it replaces is seen until it is there, and never half."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import Final

from nodeagent.filesystem.server.paths import Paths, change, refusal
from ssi.protocol.filereplies import Entry
from ssi.protocol.filerequests import MAX_PUT_BYTES, Put, SetAttributes

_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def put(paths: Paths, body: Put, data: memoryview) -> Entry:
    """Writes the file under its temporary name, looks at it, and gives it its own.

    Raises:
        OSError: As the system calls fail; ``EIO`` where the file does not hold what was written.
            The temporary name is gone, and what was there before is as it was.
    """
    paths.changed(body.path)
    if body.path.rpartition(b"/")[0] != body.temporary.rpartition(b"/")[0]:
        raise refusal(errno.EXDEV)
    if len(data) > MAX_PUT_BYTES:
        raise refusal(errno.EFBIG)
    paths.changed(body.temporary)
    descriptor = paths.tree.open(body.temporary, _NEW, 0o600)
    try:
        _fill(descriptor, data)
        wanted = SetAttributes(
            b"", 0, body.mode, body.owner, body.group, None, body.atime_ns, body.mtime_ns
        )
        change(descriptor, os.fstat(descriptor), wanted)
        with (
            paths.tree.parent(body.temporary) as (folder, temporary),
            paths.tree.parent(body.path) as (_, name),
        ):
            if body.exclusive:
                os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
                os.unlink(temporary, dir_fd=folder)
            else:
                os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        return paths.entries.at(descriptor)
    except OSError:
        with suppress(OSError), paths.tree.parent(body.temporary) as (folder, temporary):
            os.unlink(temporary, dir_fd=folder)
        raise
    finally:
        os.close(descriptor)


def _fill(descriptor: int, data: memoryview) -> None:
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, data[written:], written)
    if os.pread(descriptor, len(data) + 1, 0) != data:
        raise refusal(errno.EIO)
