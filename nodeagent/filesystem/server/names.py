"""The names in a directory, and whether a later look at its times can tell that they changed."""

from __future__ import annotations

import os
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Final

from ssi.protocol.filereplies import ATTRIBUTES

RESTED_NS: Final = 2_000_000_000
"""Two changes within one step of the clock leave the same times. A step is a tick of the kernel's,
or a second where inodes have no room for more: those of ext4 with 128 bytes (its documentation)."""

_INO, _SIZE, _MTIME, _CTIME, _MTIME_NS, _CTIME_NS = 0, 1, 4, 5, 7, 8


@dataclass(frozen=True, slots=True)
class Names:
    """What a directory holds.

    Attributes:
        names: Without ``.`` and ``..``.
        folder: Attributes of the directory since it was read; empty where they are not to be told.
        steady: No name can change without a change of those.
        same: The names are those that the asker knows, and not read again.
    """

    names: Sequence[bytes] = ()
    folder: bytes = b""
    steady: bool = False
    same: bool = False


def has_rested(found: os.stat_result, began_ns: int, noting: Set[int]) -> bool:
    """Whether a directory had not changed for a while when reading it began.

    Args:
        found: What it was after it was read.
        began_ns: When that began, by the clock of the files.
        noting: Devices whose directories note each change.
    """
    changed_ns = max(found.st_mtime_ns, found.st_ctime_ns)
    return found.st_dev in noting and changed_ns + RESTED_NS < began_ns


def is_unchanged(known: bytes, now: bytes) -> bool:
    """Whether a directory holds the names that it held with these attributes."""
    return len(known) == ATTRIBUTES.size and _state(known) == _state(now)


def _state(attributes: bytes) -> tuple[int, ...]:
    values = ATTRIBUTES.unpack(attributes)
    return tuple(values[at] for at in (_INO, _SIZE, _MTIME, _CTIME, _MTIME_NS, _CTIME_NS))
