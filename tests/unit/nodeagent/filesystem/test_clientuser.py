"""Users of a machine that is no node, as a mount of its files calls them."""

from __future__ import annotations

import os
import pwd
import struct

from nodeagent.filesystem.mount.clientuser import ClientAccounts, ClientUser
from nodeagent.filesystem.mount.identities import NOBODY, Identities

NODES = 1717
ACCOUNTS = ClientAccounts(ClientUser(uid=NODES, gid=NODES, user="bob", group="staff"))
ROOT = pwd.getpwuid(0).pw_name


def owner_here(owner: str, uid: int) -> tuple[int, int]:
    identities = Identities(
        ACCOUNTS.user_name, ACCOUNTS.user_id, ACCOUNTS.group_name, ACCOUNTS.group_id
    )
    identities.install({uid: owner}, {uid: "staff" if owner == "bob" else owner})
    told = bytes(68) + struct.pack("<II", uid, uid) + bytes(12)
    return struct.unpack_from("<II", identities.translate(told), 68)


def test_user_of_the_jobs_and_root_are_the_user_there() -> None:
    assert ACCOUNTS.asker(NODES, NODES) == ("bob", "")
    assert ACCOUNTS.asker(0, 0) == ("bob", "")


def test_nobody_else_is_anybody_there() -> None:
    assert ACCOUNTS.asker(NODES + 1, NODES) is None
    assert ACCOUNTS.asker(NOBODY, NOBODY) is None


def test_files_of_the_user_there_are_the_users_here() -> None:
    assert owner_here("bob", 1000) == (NODES, NODES)
    assert ACCOUNTS.user_name(NODES) == "bob" and ACCOUNTS.group_name(NODES) == "staff"


def test_files_of_others_keep_their_owners_by_name() -> None:
    assert owner_here(ROOT, 0) == (0, 0)
    assert owner_here("somebody-unknown", NODES) == (NOBODY, NOBODY), "not the user's own"


def test_namesake_of_the_user_here_is_somebody_else_there() -> None:
    me = pwd.getpwuid(os.geteuid())
    accounts = ClientAccounts(ClientUser(uid=me.pw_uid, gid=me.pw_gid, user="bob", group="staff"))
    assert accounts.user_id(me.pw_name) is None
    assert accounts.user_id("bob") == me.pw_uid
