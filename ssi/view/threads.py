"""Threads beside their processes, as they are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from ssi.model.process import ProcessRow


def with_commands(
    rows: Sequence[ProcessRow], known: Callable[[int], tuple[str, ...]] = lambda _gpid: ()
) -> Sequence[ProcessRow]:
    """The rows, each thread with the arguments of its process, which cross the wire only once.

    Args:
        rows: Of one node.
        known: Gpid to the arguments of a process that is not among the rows.
    """
    if not any(row.thread_of for row in rows):
        return rows
    commands = {row.gpid: row.command for row in rows if not row.thread_of}
    return [
        msgspec.structs.replace(row, command=commands.get(row.thread_of) or known(row.thread_of))
        if row.thread_of
        else row
        for row in rows
    ]
