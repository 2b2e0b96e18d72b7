"""Processes of a job that run as somebody else than its owner, where CRIU may not dump those.

Source: prlimit(2), whose caller's real ids must be the real, effective and saved ones of the
process, unless it has CAP_SYS_RESOURCE.
"""

from __future__ import annotations

import pwd
from collections.abc import Iterable
from pathlib import Path

from nodeagent.mechanism.criu import lacks_sys_resource
from ssi.model.job import JobRow
from ssi.model.process import ProcessRow

Ids = tuple[int, ...]


def foreign(row: JobRow, processes: Iterable[ProcessRow]) -> list[str]:
    """Those that CRIU on this machine may not ask for their limits, each in a sentence.

    Args:
        row: The job.
        processes: All of its processes.
    """
    if not lacks_sys_resource(Path("/proc/self/status").read_text(encoding="utf-8")):
        return []
    try:
        owner = pwd.getpwnam(row.user)
    except KeyError:
        return []  # who has no name here is told of elsewhere
    found = []
    for process in processes:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        uids, gids = ids_of(status)
        if process.state != "Z" and (set(uids), set(gids)) != ({owner.pw_uid}, {owner.pw_gid}):
            found.append(
                f"process {process.pid} ({process.name}) runs as {_named(uids, gids)}, and the job "
                f"as {row.user}: to dump both, root needs CAP_SYS_RESOURCE, which it lacks on "
                f"{row.node}"
            )
    return found


def ids_of(status: str) -> tuple[Ids, Ids]:
    """Real, effective and saved ids of user and group, of a ``/proc/PID/status``."""
    values = dict(line.partition(":\t")[::2] for line in status.splitlines())
    uids, gids = (tuple(map(int, values[key].split()[:3])) for key in ("Uid", "Gid"))
    return uids, gids


def _named(uids: Ids, gids: Ids) -> str:
    """The user; all ids, where they are not those of one user and group."""
    if len({*uids}) > 1 or len({*gids}) > 1:
        return f"uids {uids[0]}, {uids[1]} and gids {gids[0]}, {gids[1]} (real, effective)"
    try:
        user = pwd.getpwuid(uids[0])
    except KeyError:
        return f"uid {uids[0]}"
    return user.pw_name if user.pw_gid == gids[0] else f"{user.pw_name} with gid {gids[0]}"
