"""Whether a job that is restored where it was dumped holds what it held there.

CRIU opens files by their paths, as root, and their user may have put a link to what is not theirs
in the place of one meanwhile. All that the dumped job held is there yet, under its inode.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from nodeagent.mechanism.heldfiles import held_beyond, is_within, not_what_it_had
from nodeagent.mechanism.pinned import Identity, identity_of
from ssi.model.shim import RestoreFailed

_log: Final = logging.getLogger(__name__)


class OpenedBefore:
    """What the processes of a job hold that their user could not have opened; looked at once.

    Args:
        uid: Of the job's owner. Of a job of root's only what is open for writing matters.
        pids: Its processes, which stand still.
    """

    def __init__(self, uid: int, pids: Iterable[int]) -> None:
        self._uid = uid
        self._identities: set[Identity] = set()
        for pid in pids:
            try:
                for held in held_beyond(uid, (pid,)):
                    self._identities.add(identity_of(held.status))
            except OSError as exc:  # it was killed, or files of another node are out of reach
                _log.warning("event=held-not-seen pid=%d reason=%s", pid, exc)

    def check(self, pids: Iterable[int], own: tuple[str, ...]) -> None:
        """Holds when the restored processes hold nothing else of that kind.

        Args:
            pids: They stand at the barrier.
            own: Directories of the CRIU that restores. What it uses itself of these, each of the
                processes has open until it runs.

        Raises:
            RestoreFailed: They do.
            OSError: It cannot be seen.
        """
        for held in held_beyond(self._uid, pids):
            if identity_of(held.status) not in self._identities and not is_within(held.path, own):
                raise RestoreFailed(reason=not_what_it_had(held))
