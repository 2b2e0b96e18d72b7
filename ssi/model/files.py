"""What is mounted of other nodes, as it is shown."""

from __future__ import annotations

import msgspec


class MountRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One mount.

    Attributes:
        node: Whose files.
        point: Where.
        problem: Why it does not serve; empty where it does.
    """

    node: str
    point: str
    problem: str = ""
