"""The users and groups of this machine, asked for once a while."""

from __future__ import annotations

import grp
import pwd
import time
from collections.abc import Callable
from typing import Final, TypeVar

REMEMBERED_S: Final = 60.0
MAX_REMEMBERED: Final = 10_000

_KeyT = TypeVar("_KeyT")
_ValueT = TypeVar("_ValueT")


class _Remembering:
    def __init__(self) -> None:
        self._known: dict[tuple[str, object], tuple[float, object]] = {}

    def ask(self, kind: str, key: _KeyT, find: Callable[[_KeyT], _ValueT]) -> _ValueT | None:
        known = self._known.get((kind, key))
        now_s = time.monotonic()
        if known is not None and now_s - known[0] < REMEMBERED_S:
            return known[1]  # type: ignore[return-value]
        try:
            found: _ValueT | None = find(key)
        except KeyError:
            found = None
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[kind, key] = (now_s, found)
        return found


class LocalAccounts:
    """See the module."""

    def __init__(self) -> None:
        self._memory = _Remembering()

    def user_name(self, uid: int) -> str | None:
        """Whose id that is."""
        return self._memory.ask("user", uid, lambda key: pwd.getpwuid(key).pw_name)

    def user_id(self, name: str) -> int | None:
        """The id of a user."""
        return self._memory.ask("uid", name, lambda key: pwd.getpwnam(key).pw_uid)

    def group_name(self, gid: int) -> str | None:
        """Of which group that is the id."""
        return self._memory.ask("group", gid, lambda key: grp.getgrgid(key).gr_name)

    def group_id(self, name: str) -> int | None:
        """The id of a group."""
        return self._memory.ask("gid", name, lambda key: grp.getgrnam(key).gr_gid)

    def asker(self, uid: int, gid: int) -> tuple[str, str] | None:
        """User and group by name, the group empty where it is the user's own; None for nobody."""
        user = self.user_name(uid)
        if user is None:
            return None
        own = self._memory.ask("own", user, lambda key: pwd.getpwnam(key).pw_gid)
        return user, "" if own == gid else self.group_name(gid) or ""
