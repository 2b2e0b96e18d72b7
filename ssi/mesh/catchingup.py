"""How a member comes to the newest roster, and how it helps others to: at what pace.

Each datagram tells the version of its sender's roster. Whoever is behind says so, by any datagram,
and is given the entries that changed. Where that leads to nothing (an older version of ssi, an
entry that nobody can vouch for any more) it fetches the whole.
"""

from __future__ import annotations

from typing import Final

AGAIN_S: Final = 1.0
"""Between two questions, and before the same is given to the same member again."""


class CatchingUp:
    """What was asked of others, and what was given to them."""

    def __init__(self) -> None:
        self._asked_at_s = float("-inf")
        self._asked = 0
        self._given: dict[str, tuple[int, float]] = {}

    def may_ask(self, now_s: float) -> bool:
        """Whether it is time to ask for a newer roster; it counts as asked then."""
        if now_s < self._asked_at_s + AGAIN_S:
            return False
        self._asked_at_s = now_s
        self._asked += 1
        return True

    def has_asked_in_vain(self) -> bool:
        """Whether entries were asked for twice before, and have led to nothing."""
        return self._asked > 2

    def may_give(self, name: str, version: int, now_s: float) -> bool:
        """Whether a member that has that version is to be given what is newer."""
        given_version, given_at_s = self._given.get(name, (0, float("-inf")))
        if version == given_version and now_s < given_at_s + AGAIN_S:
            return False
        self._given[name] = version, now_s
        return True

    def arrived(self) -> None:
        """A newer roster is here."""
        self._asked_at_s, self._asked = float("-inf"), 0
        self._given.clear()
