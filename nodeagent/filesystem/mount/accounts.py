"""The users and groups of this machine, asked for once a while."""

from __future__ import annotations

import grp
import pwd

from nodeagent.filesystem.remembered import Remembered


class LocalAccounts:
    """See the module."""

    def __init__(self) -> None:
        self._memory = Remembered()

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
