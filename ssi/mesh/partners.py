"""Whom gossip goes to, and who is asked to try a probe that had no answer.

In a small mesh anybody. In a large one links stand only to those with whom there was something to
say of late, and a handshake costs both sides more than a hundred datagrams. A burst of news that
went to anybody would open a dozen of them in each member and second, and the answers to probes
would come too late among them: suspicions, and more news. So most of a round goes to members that
spoke of late. One of it goes to anybody, for few have heard of a newcomer. Likewise with helpers:
where a busy machine answers late, each late answer would cost six handshakes more, and they make
the next ones late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ssi.mesh.member import Member

LINKED_S: Final = 90.0
"""To whoever spoke within so long there is a link; it is closed after two minutes without use."""

TRIED: Final = 8
"""Members looked at for each that is taken."""


def partners(
    sample: Sequence[str], count: int, members: Mapping[str, Member], now_s: float
) -> list[str]:
    """So many of a random sample: its first, and then those that spoke of late before others."""
    since_s = now_s - LINKED_S

    def is_strange(name: str) -> bool:
        member = members[name]
        return not member.ever_heard or member.heard_at_s < since_s

    return [*sample[:1], *sorted(sample[1:], key=is_strange)][:count]
