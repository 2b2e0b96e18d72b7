"""Files of a machine that is no node: served as one user there, to one user here.

The two may have different names and ids. To its files the user here is the user there, and so is
root, who could become that user anyway; nobody else has any.
"""

from __future__ import annotations

import msgspec

from nodeagent.filesystem.mount.accounts import LocalAccounts


class ClientUser(msgspec.Struct, frozen=True, kw_only=True):
    """Whose files they are.

    Attributes:
        uid: Of the user here.
        gid: First group of that user, here.
        user: The user there.
        group: First group of that user, there.
    """

    uid: int
    gid: int
    user: str
    group: str


class ClientAccounts(LocalAccounts):
    """The accounts of this machine as the other one would call them.

    Args:
        user: Whose files they are.
    """

    def __init__(self, user: ClientUser) -> None:
        super().__init__()
        self._user = user

    def user_name(self, uid: int) -> str | None:
        """Whose id that is, in the words of the other machine."""
        return self._user.user if uid == self._user.uid else super().user_name(uid)

    def user_id(self, name: str) -> int | None:
        """The id here of a user there; a namesake of ours is somebody else."""
        if name == self._user.user:
            return self._user.uid
        found = super().user_id(name)
        return None if found == self._user.uid else found

    def group_name(self, gid: int) -> str | None:
        """Of which group that is the id, in the words of the other machine."""
        return self._user.group if gid == self._user.gid else super().group_name(gid)

    def group_id(self, name: str) -> int | None:
        """The id here of a group there."""
        if name == self._user.group:
            return self._user.gid
        found = super().group_id(name)
        return None if found == self._user.gid else found

    def asker(self, uid: int, gid: int) -> tuple[str, str] | None:
        """The user there, for the user here and for root; None for everybody else."""
        return (self._user.user, "") if uid in {self._user.uid, 0} else None
