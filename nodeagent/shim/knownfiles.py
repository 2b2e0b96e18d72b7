"""Whether files that a job had open are what they were, before CRIU, as root, opens them for it.

Their user may exchange them at any time on the node that has them. What is opened must be no link
to something of another's, and must belong to whom it belonged.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterable

from nodeagent.shim.filemounts import KnownFile
from ssi.model.shim import RestoreFailed


def check_known(files: Iterable[KnownFile]) -> None:
    """Holds when all of them are as they were.

    Raises:
        RestoreFailed: One is not, or is not there.
    """
    for file in files:
        try:
            status = os.lstat(file.path)
        except OSError as exc:
            raise RestoreFailed(reason=f"{file.path}: {exc.strerror}") from exc
        is_real = os.path.realpath(file.path) == file.path
        reason = difference(file, status, _name(status.st_uid), is_real=is_real)
        if reason:
            raise RestoreFailed(reason=f"{file.path} {reason}")


def difference(file: KnownFile, status: os.stat_result, user: str, *, is_real: bool) -> str:
    """What is another than it was; empty: nothing.

    Args:
        file: As it was.
        status: As it is now.
        user: Name, or number, of its owner now.
        is_real: No link is on the way to it.
    """
    if not is_real:
        return "leads elsewhere through a link"
    wanted = stat.S_ISDIR if file.is_folder else stat.S_ISREG
    if not wanted(status.st_mode):
        return "is something else by now"
    if stat.S_IMODE(status.st_mode) != file.mode:
        return "has another mode by now"
    # Owners that only one of the nodes has a name for differ; where all may read, that is no loss.
    if user != file.user and (file.writable or not file.mode & stat.S_IROTH):
        return f"belongs to {user} here and to {file.user} at the source"
    return ""


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
