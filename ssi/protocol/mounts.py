"""What is asked of a node about the files of other nodes that are mounted there."""

from __future__ import annotations

from typing import ClassVar

from ssi.model.files import MountRow
from ssi.protocol.message import ReplyMessage, RequestMessage


class MountFiles(RequestMessage, frozen=True, tag="mount-files"):
    """Mounts a node's files on the node that is asked; root only. Answered by :class:`MountList`.

    Attributes:
        node: Whose files.
        point: Where, a directory that is there; empty for the usual place.
        cache_s: For how long attributes and names are believed; 0 is strict.
        deadline_s: How long an operation may take.
    """

    mutating: ClassVar[bool] = True
    node: str
    point: str = ""
    cache_s: float = 1.0
    deadline_s: float = 4.7


class UnmountFiles(RequestMessage, frozen=True, tag="unmount-files"):
    """Takes a mount away, whoever uses it; root only. Answered by :class:`MountList`."""

    mutating: ClassVar[bool] = True
    point: str


class ListMounts(RequestMessage, frozen=True, tag="list-mounts"):
    """Asks a node which nodes' files it has mounted: :class:`MountList`."""


class MountList(ReplyMessage, frozen=True, tag="mounts"):
    """The mounts of one node."""

    node: str
    rows: tuple[MountRow, ...]
