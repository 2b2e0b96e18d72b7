"""Lets commands of users ask this node's file server for a while."""

from __future__ import annotations

from pathlib import Path

from nodeagent.dispatch import Caller, Dispatcher
from nodeagent.guests import MAX_GUESTS_PER_USER, Guests, TooManyGuests
from nodeagent.mechanism.login import find_account
from nodeagent.register import Register
from ssi.model.node import is_public_key
from ssi.protocol.guests import AllowFiles, FilesAllowed
from ssi.protocol.refusals import GuestRefused, UserUnknown


class GuestService:
    """The handler for guests.

    Args:
        node: Name of this node.
        path: Where guests are kept.
        register: Keys that cannot be a guest's, for they are somebody's already.
    """

    def __init__(self, node: str, path: Path, register: Register) -> None:
        self._node = node
        self._guests = Guests(path)
        self._register = register

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what belongs to guests."""
        dispatcher.serve(AllowFiles, self._allow)

    async def _allow(self, caller: Caller, body: AllowFiles) -> FilesAllowed:
        account = find_account(caller.user)
        if account is None:
            raise UserUnknown(node=self._node, user=caller.user)
        if not is_public_key(body.public_key) or self._register.knows(body.public_key):
            raise self._refused(caller, "it is no key, or somebody's already")
        try:
            self._guests.allow(body.public_key, caller.user, body.lease_s)
        except TooManyGuests as exc:
            reason = f"{MAX_GUESTS_PER_USER} commands use its files already"
            raise self._refused(caller, reason) from exc
        except PermissionError as exc:
            raise self._refused(caller, "another user has it") from exc
        except OSError as exc:
            raise self._refused(caller, exc.strerror or str(exc)) from exc
        return FilesAllowed(user=caller.user, home=account.home)

    def _refused(self, caller: Caller, reason: str) -> GuestRefused:
        return GuestRefused(node=self._node, user=caller.user, reason=reason)
