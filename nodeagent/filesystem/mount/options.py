"""How a mount behaves: what may be remembered for how long, and how long an answer may take."""

from __future__ import annotations

import msgspec


class MountOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Times are seconds.

    Attributes:
        attributes_s: Attributes are believed for so long; another node's change of them may be
            seen so much later.
        names_s: Likewise what name leads to what.
        deadline_s: An operation that has no answer by then fails with ``ETIMEDOUT``, at most 0.3 s
            later: within 5 s by default.
        prefetch: Fetch a whole directory when several of its names are asked for in a row.
        write_behind: Tell that a write is done while it is on its way.
    """

    attributes_s: float = 1.0
    names_s: float = 1.0
    deadline_s: float = 4.7
    prefetch: bool = True
    write_behind: bool = True

    @classmethod
    def strict(cls) -> MountOptions:
        """Nothing is believed without asking."""
        return cls(attributes_s=0.0, names_s=0.0, prefetch=False, write_behind=False)
