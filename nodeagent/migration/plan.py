"""What goes along with a job, what must be there already, and what stands in the way: decided here.

Nothing in this module reads a file; it judges what :mod:`nodeagent.mechanism.openfiles` has read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Final

from nodeagent.mechanism.mounts import PSEUDO, Mounts
from nodeagent.mechanism.openfiles import OpenThing
from nodeagent.mechanism.pinned import Identity
from nodeagent.mechanism.unixsockets import UnixSocket
from ssi.model.jobfiles import JobFiles, is_within

GHOST_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""The largest deleted file that travels inside the images."""

SYSTEM_DIRECTORIES: Final = ("/dev/", "/proc/", "/sys/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A file or directory of the plan.

    Attributes:
        link: Through which this host reads it, whatever its path is by now: ``/proc/PID/fd/N``.
        identity: Of what that led to; None: a path, at which whatever is there counts.
        writable: The job may change it until it is frozen.
        is_fifo: A named pipe: it is made where it is missing, and what is in it is in the images.
    """

    path: str
    link: str
    identity: Identity | None = None
    writable: bool = False
    is_fifo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The judgement.

    Attributes:
        programs: Must be at the destination, the same; they are never carried.
        files: Go along to the same path, or are there already with the same content.
        directories: Are made at the destination where they are missing.
        shared: On a file system that the destination should see too; nothing is copied.
        followed: Files of a node that the job sees at the same path wherever it runs.
        blockers: What stands in the way, each in one sentence that names it.
    """

    programs: tuple[Item, ...] = ()
    files: tuple[Item, ...] = ()
    directories: tuple[Item, ...] = ()
    shared: tuple[Item, ...] = ()
    followed: tuple[Item, ...] = ()
    blockers: tuple[str, ...] = ()

    @property
    def sources(self) -> dict[str, Item]:
        """Through what each of the files that go along can be read, by path."""
        return {item.path: item for item in self.files}


def make_plan(
    things: Iterable[OpenThing],
    mounts: Mounts,
    *,
    root_pid: int,
    has_terminal: bool,
    other_writers: Mapping[int, int],
    unix_sockets: Mapping[int, UnixSocket],
    seen: JobFiles | None = None,
) -> Plan:
    """Judges what a job holds open.

    Args:
        things: All of it; read before ``unix_sockets``, so that those know all of these.
        mounts: As the job sees them.
        root_pid: Of the job's first process, through which paths are looked up.
        has_terminal: Whether the job was given a terminal, which then is no blocker.
        other_writers: Inodes that processes outside the job have open, with a pid of theirs.
        unix_sockets: Those of the host, by inode.
        seen: What the job sees of other nodes' files.
    """
    things = list(things)
    inside = {thing.inode for thing in things if thing.kind == "socket"}
    programs: dict[str, Item] = {}
    files: dict[str, Item] = {}
    directories: dict[str, Item] = {}
    shared: dict[str, Item] = {}
    followed: dict[str, Item] = {}
    blockers: list[str] = []
    for thing in things:
        blocker = (
            _blocker(thing, has_terminal=has_terminal, root=seen.root if seen else "")
            or _parted(thing, other_writers)
            or _vanished(thing, seen)
            or _stranded(thing, unix_sockets, inside)
            or _unwatchable(thing, mounts)
            or _unfollowable(thing, seen, mounts)
        )
        if blocker:
            blockers.append(blocker)
        elif thing.kind in {"file", "directory", "fifo"} and not _is_kernels(thing, mounts):
            item = _item(thing, root_pid)
            if seen is not None and seen.cover(thing.path):
                if thing.is_deleted or thing.is_fifo:
                    continue  # it is in the images; or only its name is elsewhere
                _keep(followed, item)
            elif mounts.is_shared(thing.path):
                shared[thing.path] = item
            elif thing.kind == "directory":
                directories[thing.path] = item
            elif thing.is_elf:
                programs[thing.path] = item
            elif not thing.is_deleted:
                _keep(files, item)
                blockers += _sharing(thing, other_writers)
    return Plan(
        programs=tuple(programs.values()),
        files=tuple(files.values()),
        directories=tuple(directories.values()),
        shared=tuple(shared.values()),
        followed=tuple(followed.values()),
        blockers=tuple(dict.fromkeys(blockers)),
    )


def named_pipes(plan: Plan) -> list[str]:
    """What stands in the way of everything but a move: each of them, in a sentence."""
    return [f"{item.path} is a named pipe" for item in plan.files if item.is_fifo]


def _item(thing: OpenThing, root_pid: int) -> Item:
    kind, _space, number = thing.where.partition(" ")
    by_descriptor = kind == "fd"
    link = (
        f"/proc/{thing.pid}/fd/{number}" if by_descriptor else f"/proc/{root_pid}/root{thing.path}"
    )
    return Item(
        path=thing.path,
        link=link,
        identity=(thing.device, thing.inode) if by_descriptor else None,
        writable=thing.writable or thing.is_fifo,
        is_fifo=thing.is_fifo,
    )


def _keep(items: dict[str, Item], item: Item) -> None:
    """One of each path: a child that inherited it may be gone in a moment, so the first holder's.

    But one that may be written to comes before one that is only read.
    """
    known = items.get(item.path)
    if known is None or (item.writable and not known.writable):
        items[item.path] = item


def _is_kernels(thing: OpenThing, mounts: Mounts) -> bool:
    if thing.path.startswith(SYSTEM_DIRECTORIES) and not thing.path.startswith("/dev/shm/"):
        return True
    return thing.where == "root" or mounts.kind_of(thing.path) in PSEUDO


def _blocker(thing: OpenThing, *, has_terminal: bool, root: str) -> str:
    """Why a thing cannot move; empty where it can."""
    who = f"process {thing.pid}, {thing.where}"
    if thing.is_deleted and thing.is_elf:
        return f"{who}: the program {thing.path} has been deleted or replaced"
    if thing.is_deleted and thing.size_bytes > GHOST_LIMIT_BYTES:
        mib = thing.size_bytes // 1024 // 1024
        return f"{who}: {thing.path} is deleted and has {mib} MiB, more than 64 MiB"
    if thing.has_lost_name:
        return (
            f"{who}: {thing.path} has lost the name by which it was opened; once closed, it moves"
        )
    if thing.knows_inode and not thing.is_deleted:
        return (
            f"{who}: SQLite does not write to {thing.path} once it is another file; "
            "with journal_mode=WAL it does"
        )
    if thing.kind == "other" and "io_uring" in thing.path:
        return f"{who}: io_uring cannot be carried"
    if thing.path.startswith(("/dev/pts/", "/dev/tty")) and not has_terminal:
        return f"{who}: {thing.path} is a terminal of this machine"
    if thing.where == "root" and thing.path not in {"/", root}:
        return f"{who}: it lives in {thing.path} by chroot"
    return ""


def _parted(thing: OpenThing, others: Mapping[int, int]) -> str:
    """Why a named pipe cannot move: there is nothing to make anew, or its ends would be parted."""
    who = f"process {thing.pid}, {thing.where}: {thing.path}"
    if not thing.is_fifo:
        return ""
    if not thing.links:
        return f"{who} is a named pipe without a name, as it was deleted"
    if thing.inode not in others:
        return ""
    end = "is a named pipe, whose other end would stay behind"
    return f"{who} {end}: process {others[thing.inode]} has it open"


def _vanished(thing: OpenThing, seen: JobFiles | None) -> str:
    """Why CRIU could not even look at a thing: another node had it, and has it no more."""
    if thing.kind != "gone":
        return ""
    if thing.where in {"cwd", "program"} or (seen is not None and seen.cover(thing.path)):
        who = f"process {thing.pid}, {thing.where}"
        return f"{who}: {thing.path} is not there any more, where it is from"
    return ""


def _stranded(thing: OpenThing, sockets: Mapping[int, UnixSocket], inside: Set[int]) -> str:
    """Why a Unix socket cannot move: the other end, or perhaps its name, is of somebody else."""
    found = sockets.get(thing.inode) if thing.kind == "socket" else None
    if found is None:
        return ""
    if not found.peer or found.peer in inside:
        # CRIU removes whatever stands at the path where it restores, be it another's socket.
        at_path = found.name and not found.name.startswith("@")
        return f"process {thing.pid}, {thing.where}: it is bound to {found.name}" if at_path else ""
    peer = sockets.get(found.peer, UnixSocket())
    name = peer.name or found.name
    where = f"the Unix socket {name}" if name else "a Unix socket without a name"
    return f"process {thing.pid}, {thing.where}: a connection through {where}, to outside the job"


def _unwatchable(thing: OpenThing, mounts: Mounts) -> str:
    """Why an inotify cannot move: CRIU finds a watched file by a handle, which overlayfs lacks."""
    kinds = {mounts.kind_of_device(device) for device in thing.watched}
    if "fuse.ssi" in kinds:
        return f"process {thing.pid}, {thing.where}: inotify watches a file of another node"
    if "overlay" in kinds:
        return f"process {thing.pid}, {thing.where}: inotify watches a file on overlayfs"
    return ""


def _unfollowable(thing: OpenThing, seen: JobFiles | None, mounts: Mounts) -> str:
    """Why a file of another node, or one that will be, cannot be as it is at the destination."""
    if seen is None or not seen.cover(thing.path):
        return ""
    who = f"process {thing.pid}, {thing.where}: {thing.path}"
    if thing.is_deleted and mounts.kind_of(thing.path) == "fuse.ssi":
        return f"{who} is deleted, and CRIU cannot read such a file of another node"
    if thing.is_locked:
        return f"{who} is locked, and locks on files that it sees on every node do not move"
    if seen.root and is_within(thing.path, f"{seen.root}/run") and thing.kind == "file":
        return f"{who} is in memory here, as all of /run is with --root home"
    return ""


def _sharing(thing: OpenThing, other_writers: Mapping[int, int]) -> list[str]:
    """Why a file that the job writes must not be parted from this host."""
    if not thing.writable:
        return []
    who = f"process {thing.pid}, {thing.where}: {thing.path}"
    if thing.inode in other_writers:
        return [f"{who} is written by the job and open in process {other_writers[thing.inode]} too"]
    if thing.links > 1:
        return [f"{who} is written by the job and has {thing.links} names; a copy would part them"]
    return []
