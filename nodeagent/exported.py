"""What jobs elsewhere may see of a machine that is no node: what its own commands have named.

A node never adds to it. It says which of these paths its jobs still need, and a path that none
needs is not served any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

import msgspec

from nodeagent.files import replace_file

ASKED_S: Final = 60.0
"""A command that names a path starts its job within this time."""

LEFT_S: Final = 60.0
"""So long a path is served that no node needs any more. Where a job has left, that may be told some
seconds before it is told where it came to, and no node can add a path again."""

SAVED_S: Final = 600.0
"""How old what is kept of them may be."""

MISSED_S: Final = 86400.0
"""As long as not every node has said what it needs, a path that was needed counts for so long."""


class Exported:
    """See the module.

    Args:
        path: Where they are kept, for an agent after this one.
        now_s: The wall clock.
    """

    def __init__(self, path: Path, now_s: float) -> None:
        self._path = path
        self._began_s = self._saved_s = now_s
        self._asked: dict[str, float] = {}
        self._needed: dict[str, float] = {
            each: at_s for each, at_s in _load(path).items() if now_s - at_s < MISSED_S
        }

    def paths(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(sorted(self._needed))

    def ask(self, paths: Iterable[str], now_s: float) -> None:
        """A job that is about to start may see these."""
        for path in paths:
            self._asked[path] = now_s
        self._keep({**self._needed, **dict.fromkeys(paths, now_s)}, now_s)

    def settle(self, needed: Collection[str], now_s: float, *, all_told: bool) -> None:
        """Forgets what has not been needed for a while.

        Args:
            needed: Of all that jobs see, as nodes tell it; what was never asked for is passed over.
            now_s: The wall clock.
            all_told: Every node has told, and can be asked.
        """
        kept = {}
        for path, at_s in self._needed.items():
            is_left = all_told and now_s - max(at_s, self._began_s) >= LEFT_S
            if path in needed:
                kept[path] = now_s
            elif not is_left and now_s - at_s < MISSED_S:
                kept[path] = at_s
        self._asked = {path: at_s for path, at_s in self._asked.items() if path in kept}
        self._keep(kept, now_s)

    def is_asked(self, now_s: float) -> bool:
        """Whether a job may be about to start."""
        return any(now_s - at_s < ASKED_S for at_s in self._asked.values())

    def _keep(self, needed: dict[str, float], now_s: float) -> None:
        if needed.keys() != self._needed.keys() or now_s - self._saved_s > SAVED_S:
            replace_file(self._path, msgspec.json.encode(needed), durable=False)
            self._saved_s = now_s
        self._needed = needed


def _load(path: Path) -> dict[str, float]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, float])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}
