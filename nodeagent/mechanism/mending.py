"""Two things that CRIU would restore wrongly, put right in its images. Pure.

Source: CRIU 4.2 ``criu/pstree.c``, ``criu/timerfd.c``; both were seen before they were mended.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from nodeagent.mechanism.crimage import (
    Field,
    decode_fields,
    encode_fields,
    join_image,
    number_of,
    split_image,
)

PSTREE: Final = "pstree.img"
FILES: Final = "files.img"

_PID, _PARENT, _GROUP, _SESSION = 1, 2, 3, 4
_TIMERFD: Final = 12
_TICKS, _SECONDS, _NANOSECONDS, _PERIOD_S, _PERIOD_NS = 5, 7, 8, 9, 10


@dataclass(frozen=True, slots=True)
class Kin:
    """A process of the tree with its relations."""

    pid: int
    parent: int
    group: int
    session: int


def settle_sessions(
    tree: list[Kin], dead: frozenset[int] = frozenset(), *, alone: bool = False
) -> list[Kin]:
    """Processes whose session leader has ended lead a session of their own.

    For a session without leader CRIU makes a helper that ends after it has forked the session's
    processes, so these become children of whoever reaps there: the shim. The next dump would not
    find them below the job's first process. A daemon that forked twice does not look at its
    session, so it is given one.

    Args:
        tree: All processes that are dumped.
        dead: Those of them that have ended and were not reaped: they lead nobody.
        alone: A session that is led from outside of the tree stays behind.
    """
    here = {kin.pid: kin for kin in tree}
    # A job with a terminal is in the session of its shim, outside of the tree, here and there.
    outside = set() if alone else {kin.session for kin in tree if kin.parent not in here}

    def led(kin: Kin) -> bool:
        leads = kin.session in here and kin.session not in dead
        return leads or kin.session in outside or kin.session == kin.pid

    def leader_of(kin: Kin) -> int:
        parent = here.get(kin.parent)
        if parent is not None and parent.session == kin.session and not led(parent):
            return leader_of(parent)
        return kin.pid

    sessions = {kin.pid: kin.session if led(kin) else leader_of(kin) for kin in tree}

    def settled(kin: Kin) -> Kin:
        session = sessions[kin.pid]
        if session == kin.session:
            return kin
        # A group lies within one session, so that of a leader who stayed behind is out of reach.
        group = kin.group if sessions.get(kin.group) == session else session
        return replace(kin, session=session, group=session if kin.pid == session else group)

    return [settled(kin) for kin in tree]


def mend_pstree(image: bytes, dead: frozenset[int] = frozenset(), *, alone: bool = False) -> bytes:
    """``pstree.img`` with :func:`settle_sessions` done; the very same where there is nothing to do.

    Raises:
        BadImage: It is not as we know it.
    """
    head, entries = split_image(image)
    decoded = [decode_fields(entry) for entry in entries]
    tree = [
        Kin(*(number_of(fields, number) for number in (_PID, _PARENT, _GROUP, _SESSION)))
        for fields in decoded
    ]
    settled = settle_sessions(tree, dead, alone=alone)
    if settled == tree:
        return image
    mended = (
        encode_fields(_with(fields, {_GROUP: kin.group, _SESSION: kin.session}))
        for fields, kin in zip(decoded, settled, strict=True)
    )
    return join_image(head, mended)


def mend_files(image: bytes) -> bytes:
    """``files.img`` in which no periodic timerfd stands still.

    One that has expired and was not read yet is dumped with no time left, which CRIU sets again as
    it is: disarmed, for ever. With one nanosecond left it goes on at once.

    Raises:
        BadImage: It is not as we know it.
    """
    head, entries = split_image(image)
    mended = [_mend_file(entry) for entry in entries]
    return image if mended == entries else join_image(head, mended)


def _mend_file(entry: bytes) -> bytes:
    fields = decode_fields(entry)
    if all(field.number != _TIMERFD for field in fields):
        return entry
    return encode_fields(
        field.with_value(_mend_timer(field.value))
        if field.number == _TIMERFD and isinstance(field.value, bytes)
        else field
        for field in fields
    )


def _mend_timer(entry: bytes) -> bytes:
    fields = decode_fields(entry)
    periodic = number_of(fields, _PERIOD_S) or number_of(fields, _PERIOD_NS)
    left = number_of(fields, _SECONDS) or number_of(fields, _NANOSECONDS)
    if periodic and not left and number_of(fields, _TICKS):
        return encode_fields(_with(fields, {_NANOSECONDS: 1}))
    return entry


def _with(fields: list[Field], values: dict[int, int]) -> list[Field]:
    return [
        field.with_value(values[field.number]) if field.number in values else field
        for field in fields
    ]
