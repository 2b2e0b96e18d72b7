"""Which identity a user of another machine has here: the account of the same name."""

from __future__ import annotations

import errno
import grp
import logging
import os
import pwd
import time
from dataclasses import replace
from typing import Final

from nodeagent.filesystem.server.credentials import Identity
from nodeagent.filesystem.server.paths import refusal
from nodeagent.mechanism.login import find_account

REMEMBERED_S: Final = 30.0
"""So long until a new group of a user counts."""

MAX_NAMES: Final = 20_000
_log: Final = logging.getLogger(__name__)


class Accounts:
    """The accounts of this node.

    Args:
        only: The one user who is served, where this is not root; else empty.
    """

    def __init__(self, only: str = "") -> None:
        self._only = only
        self._known: dict[tuple[str, str], tuple[float, Identity]] = {}
        self.changes_identity = not only
        """Whether requests are carried out as others than this process."""
        self.nobody = Identity(user="", uid=65534, gid=65534, groups=())
        if only:
            self.nobody = self._find(only, "")

    def identity(self, user: str, group: str) -> Identity:
        """Who that is here.

        Raises:
            OSError: ``EACCES``: no account of that name, or not a member of that group.
        """
        known = self._known.get((user, group))
        now_s = time.monotonic()
        if known is not None and now_s - known[0] < REMEMBERED_S:
            return known[1]
        found = self._find(user, group)
        if known is not None and known[1] == found:
            found = known[1]
        self._known[user, group] = (now_s, found)
        return found

    def _find(self, user: str, group: str) -> Identity:
        account = find_account(user) if user else None
        if account is None or (self._only and user != self._only):
            _log.warning("event=user-unknown user=%s", user)
            raise refusal(errno.EACCES)
        found = Identity(user=user, uid=account.uid, gid=account.gid, groups=account.groups)
        if not group:
            return found
        try:
            gid = grp.getgrnam(group).gr_gid
        except KeyError:
            return found
        if account.uid != 0 and gid not in account.groups and gid != account.gid:
            return found
        return replace(found, gid=gid)


def names_of() -> tuple[dict[int, str], dict[int, str]]:
    """Users and groups of this node by id."""
    users = {entry.pw_uid: entry.pw_name for entry in reversed(pwd.getpwall()[:MAX_NAMES])}
    groups = {entry.gr_gid: entry.gr_name for entry in reversed(grp.getgrall()[:MAX_NAMES])}
    return users, groups


def own_user() -> str:
    """The user that this process is."""
    return pwd.getpwuid(os.geteuid()).pw_name
