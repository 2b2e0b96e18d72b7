"""Which mode, owner and times a copy gets. Pure."""

from __future__ import annotations

import stat
from dataclasses import replace
from typing import Final

from ssi.client.files.tree import Attributes, Change

ORDINARY: Final = 0o777
"""Without set-user-id, set-group-id and sticky bits."""


def preserved(found: Attributes, user: str) -> Change:
    """All attributes of the original, as far as whoever copies may set them.

    Args:
        found: The original.
        user: Who copies, as the target knows them.
    """
    mode, owner, group = stat.S_IMODE(found.mode), found.user or None, found.group or None
    if user != "root":
        owner = group = None
        if found.user != user:
            mode &= ORDINARY  # what the owner's power was would be another user's
    elif owner is None:
        mode &= ORDINARY
    return Change(
        mode=mode, user=owner, group=group, atime_ns=found.atime_ns, mtime_ns=found.mtime_ns
    )


def ordinary(found: Attributes, there: Attributes | None, user: str, umask: int) -> Change:
    """Attributes where none are to be preserved: of what is overwritten, else as of a new file."""
    if there is None or not there.is_file:
        return Change(mode=stat.S_IMODE(found.mode) & ORDINARY & ~umask)
    kept = Change(mode=stat.S_IMODE(there.mode) & ORDINARY)
    if user != "root" or not there.user:
        return kept
    return replace(kept, user=there.user, group=there.group or None)


def without_strangers(change: Change, *, has_user: bool, has_group: bool) -> Change:
    """The same without an owner or a group whom the target does not know."""
    user = change.user if has_user else None
    group = change.group if has_group else None
    mode = change.mode
    if mode is not None and (user, group) != (change.user, change.group):
        mode &= ORDINARY
    return replace(change, user=user, group=group, mode=mode)
