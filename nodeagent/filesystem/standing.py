"""A mount that stands, and how it outlives the program that keeps it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from nodeagent.files import replace_file
from nodeagent.filesystem.mount.clientuser import ClientUser
from nodeagent.filesystem.mount.options import MountOptions
from ssi.model.node import RosterEntry


@dataclass(eq=False, slots=True)
class Standing:
    """One mount.

    Attributes:
        number: Names it to the worker; never given twice.
        node: Whose files they are.
        point: Where it is mounted.
        descriptor: Of /dev/fuse.
        options: How it behaves.
        entry: What the roster says of the node; of a machine that is none, what it would say.
        is_base: It is one of those below ``/ssi/n`` that are there by themselves.
        served: A worker has answered for it, so the next one has something to go on with.
        client: Whose files they are, of a machine that is no node; then ``entry`` tells where the
            worker listens for it.
    """

    number: int
    node: str
    point: str
    descriptor: int
    options: MountOptions
    entry: RosterEntry
    is_base: bool
    served: bool = False
    client: ClientUser | None = None


def hand_down(path: Path, mounts: Iterable[Standing]) -> None:
    """Writes down all mounts for the program that this process is about to become."""
    kept = list(mounts)
    replace_file(path, msgspec.json.encode(kept), durable=False)
    for standing in kept:
        os.set_inheritable(standing.descriptor, True)


def inherit(path: Path) -> list[Standing] | None:
    """The mounts that this process had before it became another program; None where it did not."""
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=list[Standing])
    except FileNotFoundError:
        return None
    path.unlink()
    if not all(_is_fuse(standing.descriptor) for standing in kept):
        return None  # left by a warden that died before it could go on
    for standing in kept:
        os.set_inheritable(standing.descriptor, False)
        standing.served = True
    return kept


def _is_fuse(descriptor: int) -> bool:
    try:
        return Path(f"/proc/self/fd/{descriptor}").readlink() == Path("/dev/fuse")
    except OSError:
        return False
