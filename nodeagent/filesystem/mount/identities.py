"""Users of this machine and of the server, matched by name. Pure but for the tables it is given."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Final

_IDS: Final = struct.Struct("<II")
_IDS_AT: Final = 68
NOBODY: Final = 65534

MAX_REMEMBERED: Final = 10_000


class Identities:
    """Translates owners of files.

    Args:
        user_name: The user of an id of this machine; None where there is none.
        user_id: The id of a user of this machine; None where there is none.
        group_name: Likewise of groups.
        group_id: Likewise.
    """

    def __init__(
        self,
        user_name: Callable[[int], str | None],
        user_id: Callable[[str], int | None],
        group_name: Callable[[int], str | None],
        group_id: Callable[[str], int | None],
    ) -> None:
        self._user_name, self._user_id = user_name, user_id
        self._group_name, self._group_id = group_name, group_id
        self._users: Mapping[int, str] = {}
        self._groups: Mapping[int, str] = {}
        self._known: dict[tuple[int, int], bytes | None] = {}

    def install(self, users: Mapping[int, str], groups: Mapping[int, str]) -> None:
        """Takes the server's tables."""
        self._users, self._groups = users, groups
        self._known.clear()

    def translate(self, attributes: bytes) -> bytes:
        """Attributes of the server with the owner and the group that they have here."""
        ids = _IDS.unpack_from(attributes, _IDS_AT)
        packed = self._known[ids] if ids in self._known else self._learn(ids)
        if packed is None:
            return attributes
        return attributes[:_IDS_AT] + packed + attributes[_IDS_AT + _IDS.size :]

    def _learn(self, ids: tuple[int, int]) -> bytes | None:
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        uid = _here(ids[0], self._users, self._user_id, self._user_name)
        gid = _here(ids[1], self._groups, self._group_id, self._group_name)
        packed = None if (uid, gid) == ids else _IDS.pack(uid, gid)
        self._known[ids] = packed
        return packed


def _here(
    number: int,
    theirs: Mapping[int, str],
    id_of: Callable[[str], int | None],
    name_of: Callable[[int], str | None],
) -> int:
    """The id here of an id there.

    One that has no name on either side is shown as it is; one that would look like somebody else's
    is nobody's.
    """
    name = theirs.get(number)
    if name is not None:
        found = id_of(name)
        if found is not None:
            return found
    return number if name_of(number) is None else NOBODY
