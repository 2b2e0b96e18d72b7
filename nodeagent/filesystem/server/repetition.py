"""Which requests may be carried out twice, where a connection broke before the answer came."""

from __future__ import annotations

from typing import Final

from ssi.protocol.filerequests import (
    Bye,
    Cancel,
    Digest,
    FindUnderway,
    FindWay,
    GetAttributes,
    GetExtended,
    GetSpace,
    Hello,
    ListExtended,
    Lookup,
    Ping,
    Read,
    ReadLink,
    Release,
    Seek,
    Sync,
    SyncDirectory,
    TestLock,
)

REPEATABLE: Final = frozenset(
    {
        Hello,
        Bye,
        Ping,
        FindUnderway,
        FindWay,
        Lookup,
        GetAttributes,
        ReadLink,
        Read,
        Sync,
        Release,
        SyncDirectory,
        GetSpace,
        GetExtended,
        ListExtended,
        Seek,
        TestLock,
        Cancel,
        Digest,
    }
)
"""Requests that may be carried out twice. Of all others the server remembers the answer."""
