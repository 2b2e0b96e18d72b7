"""Files that a move has brought to a node, or takes from it: which of them leave with the job."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Final

from nodeagent.mechanism import trustedpath
from nodeagent.mechanism.openfiles import writers_outside
from nodeagent.mechanism.pinned import Identity, identity_of
from ssi.protocol.migration import FileMeta

_log: Final = logging.getLogger(__name__)


def remove_carried(paths: Sequence[str], identities: Mapping[str, Identity | None]) -> None:
    """Removes what went on with a job: not what is another file by now, or what others have open.

    Args:
        paths: Of the files.
        identities: What the job had open there, as far as is known.
    """
    here = {path: identity for path in paths if (identity := _identity_at(path)) is not None}
    users = writers_outside(frozenset(here.values()), frozenset(), "")
    for path, identity in here.items():
        if identity[1] in users:
            user = users[identity[1]]
            _log.warning("event=not-removed path=%s reason=open in process %d", path, user)
        else:
            trustedpath.remove(path, identities.get(path) or identity)


def _identity_at(path: str) -> Identity | None:
    try:
        with trustedpath.parent_of(path) as (folder, name):
            return identity_of(os.stat(name, dir_fd=folder, follow_symlinks=False))
    except OSError:
        return None


def copies_among(placed: Sequence[str], metas: Sequence[FileMeta]) -> dict[str, int]:
    """Of the files that were put there those that the job only reads: when changed last, ns."""
    there = frozenset(placed)
    return {
        meta.path: meta.mtime_ns
        for meta in metas
        if meta.path in there and not meta.writable and meta.kind != "fifo"
    }


def is_mere_copy(path: str, copies: Mapping[str, int]) -> bool:
    """Whether a file that was brought is of no worth: the job only read it, and nobody changed it.

    Args:
        path: Of the file.
        copies: What :func:`copies_among` told when it was brought.
    """
    try:
        status = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - one call, no object
    except OSError:
        return False
    return status.st_mtime_ns == copies.get(path)
