"""Whether a job could be taken in here: everything that would stop it, and nothing is touched."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from nodeagent.mechanism import livememory
from nodeagent.mechanism.connections import why_unavailable
from nodeagent.mechanism.openfiles import writers_outside
from nodeagent.mechanism.pinned import identity_of
from nodeagent.migration.capability import Capability
from nodeagent.migration.landing import conflict_of, same_program
from ssi.model.migration import Live
from ssi.protocol.migration import FileMeta, PrepareMigration

MEMORY_RESERVE_BYTES: Final = 64 * 1024 * 1024
"""Left free where the images lie, and on the file systems of its files."""


def look(
    body: PrepareMigration, capability: Capability, images: Path
) -> tuple[list[str], list[str]]:
    """As :func:`obstacles`, and which of the job's files were here before it looked.

    Where nothing stands in the way those are the same: another file would.
    """
    present = [meta.path for meta in body.files if os.path.lexists(meta.path)]
    return obstacles(body, capability, images), present


def obstacles(body: PrepareMigration, capability: Capability, images: Path) -> list[str]:
    """Why the job cannot come here, each in a sentence; empty where it can.

    Args:
        body: What the source says of it.
        capability: What CRIU here can do.
        images: Directory for images, in memory.
    """
    found = capability.blockers()
    if found:
        return found
    found = capability.misfits(body.criu, body.cpu)
    if body.live == Live.POST and not livememory.has_userfaultfd():
        found.append("--live post cannot be: its kernel has no userfaultfd; use --live stop")
    found += account_obstacles(body)
    found += room_obstacles(body, images)
    found += [reason for meta in body.programs if (reason := same_program(meta))]
    found += [reason for meta in body.files if (reason := conflict_of(meta))]
    found += name_obstacles(body.files)
    found += shared_here(body.files)
    found += [f"{path} is not mounted here" for path in body.shared if not os.path.lexists(path)]
    found += capability.socket_blockers() if body.listening else []
    found += [reason for text in body.listening if (reason := _port_obstacle(text))]
    return found


def shared_here(files: Iterable[FileMeta]) -> list[str]:
    """Files that the job writes, and that others here have open or that have other names."""
    found, standing = [], {}
    for meta in files:
        if not meta.writable or meta.kind != "file":
            continue
        try:
            status = os.stat(meta.path)  # noqa: PTH116 - one call, no object
        except OSError:
            continue
        if (status.st_ino, status.st_ctime_ns) == (meta.inode, meta.ctime_ns):
            continue  # the very same, which the job has open
        if status.st_nlink > 1:
            found.append(f"{meta.path} has {status.st_nlink} names here")
        standing[identity_of(status)] = meta.path
    users = writers_outside(frozenset(standing), frozenset(), "")
    for identity, path in standing.items():
        if identity[1] in users:
            found.append(f"{path} is open in process {users[identity[1]]} here")
    return found


def account_obstacles(body: PrepareMigration) -> list[str]:
    """Images name users by number; it must be the same user here."""
    try:
        account = pwd.getpwnam(body.job.user)
    except KeyError:
        return [f"there is no account for user {body.job.user}"]
    if account.pw_uid != body.uid:
        return [f"user {body.job.user} has uid {account.pw_uid} here and {body.uid} at the source"]
    return []


def name_obstacles(files: Iterable[FileMeta]) -> list[str]:
    """Owners and groups of files, by name, that this node does not know."""
    users = {meta.user for meta in files if not meta.user.isdigit()}
    groups = {meta.group for meta in files if not meta.group.isdigit()}
    return [
        *(
            f"there is no account for {user}, who owns a file"
            for user in _unknown(users, pwd.getpwnam)
        ),
        *(
            f"there is no group {group}, which has a file"
            for group in _unknown(groups, grp.getgrnam)
        ),
    ]


def room_obstacles(body: PrepareMigration, images: Path) -> list[str]:
    """File systems that would be full: that of the images, and those of files to be copied."""
    found = []
    wanted: dict[int, tuple[Path, int]] = {}
    for path, size in [(images, body.image_bytes), *_absent(body.files)]:
        standing = _nearest(path)
        device = standing.stat().st_dev
        known, bytes_before = wanted.get(device, (standing, 0))
        wanted[device] = (known, bytes_before + size)
        if not os.access(standing, os.W_OK):
            found.append(f"{standing} cannot be written to")
    for standing, size in wanted.values():
        if size + MEMORY_RESERVE_BYTES > shutil.disk_usage(standing).free:
            mib = (size + MEMORY_RESERVE_BYTES) // 1024 // 1024
            found.append(f"{standing} has no room for {mib} MiB")
    return found


def room_for_images(images: Path) -> int:
    """What fits there beside the reserve; at least 0."""
    return max(shutil.disk_usage(images).free - MEMORY_RESERVE_BYTES, 0)


def _absent(files: Iterable[FileMeta]) -> Iterable[tuple[Path, int]]:
    """Files that would be copied; those of the same content that are here take no room."""
    return [
        (Path(meta.path).parent, meta.size_bytes)
        for meta in files
        if meta.kind == "file" and not os.path.lexists(meta.path)
    ]


def _nearest(path: Path) -> Path:
    """The path, or the directory above it that is there."""
    while not path.is_dir():
        path = path.parent
    return path


def _port_obstacle(text: str) -> str:
    kind, address, port = text.split()
    reason = why_unavailable(kind, address, int(port))
    return f"nothing can listen on {kind} {address} port {port} here: {reason}" if reason else ""


def _unknown(names: Iterable[str], look_up: Callable[[str], object]) -> list[str]:
    """Names that are not known here, each looked up: directories of users do not list all."""
    unknown = []
    for name in sorted(set(names)):
        try:
            look_up(name)
        except KeyError:
            unknown.append(name)
    return unknown
