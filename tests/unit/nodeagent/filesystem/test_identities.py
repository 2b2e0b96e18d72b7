"""Owners of another node's files, as they are shown here."""

from __future__ import annotations

import struct

from nodeagent.filesystem.mount.identities import NOBODY, Identities

HERE = {"root": 0, "ada": 1000, "bob": 1001}
NAMES = {number: name for name, number in HERE.items()}


def shown(uid: int) -> int:
    identities = Identities(NAMES.get, HERE.get, NAMES.get, HERE.get)
    identities.install({0: "root", 2000: "ada", 1001: "eve"}, {})
    attributes = bytes(68) + struct.pack("<II", uid, 77) + bytes(12)
    changed = identities.translate(attributes)
    assert (len(changed), changed[:68], changed[76:]) == (88, attributes[:68], attributes[76:])
    found: tuple[int, int] = struct.unpack_from("<II", changed, 68)
    assert found[1] == 77
    return found[0]


def test_user_of_both_sides_has_the_id_of_here() -> None:
    assert shown(2000) == 1000


def test_user_of_there_alone_is_not_taken_for_whoever_has_the_id_here() -> None:
    assert shown(1001) == NOBODY


def test_id_without_a_name_is_shown_as_it_is() -> None:
    assert shown(4711) == 4711
