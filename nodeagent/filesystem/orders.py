"""What the warden tells the worker. A mount comes with its descriptor of /dev/fuse."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from nodeagent.filesystem.mount.clientuser import ClientUser
from nodeagent.filesystem.mount.options import MountOptions


class MountOrder(msgspec.Struct, frozen=True, kw_only=True, tag="mount"):
    """Answer the kernel for this mount.

    Attributes:
        number: Of the mount, for later orders.
        journal: Path of what is to be remembered of it.
        again: An earlier worker did so; what it has not answered is to come again.
        client: Whose files they are, of a machine that is no node: it connects to ``address`` and
            ``port`` here. None for a node, which listens there.
    """

    number: int
    node: str
    address: str
    port: int
    public_key: str
    journal: str
    options: MountOptions
    again: bool = False
    client: ClientUser | None = None


class MoveOrder(msgspec.Struct, frozen=True, kw_only=True, tag="move"):
    """The server of a mount listens elsewhere now, or has another key."""

    number: int
    node: str
    address: str
    port: int
    public_key: str


class UnmountOrder(msgspec.Struct, frozen=True, kw_only=True, tag="unmount"):
    """The mount has ended."""

    number: int


Order: TypeAlias = MountOrder | MoveOrder | UnmountOrder
