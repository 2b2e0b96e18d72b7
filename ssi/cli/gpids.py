"""Gpids on the command line: read, looked up where they are, and done to one after another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from ssi.cli.outcome import complain
from ssi.client.system import Location, System
from ssi.model.errors import SsiError, UsageError
from ssi.model.gpid import Gpid, parse_gpid


def parse_gpids(texts: Sequence[str]) -> list[Gpid]:
    """The gpids that a person typed, all or none.

    Raises:
        GpidInvalid: One of them is none.
        UsageError: There is none at all.
    """
    if not texts:
        raise UsageError(text="no gpid is given", hint="`ssi ps` shows them")
    return [parse_gpid(text) for text in texts]


async def each_located(
    system: System, gpids: Sequence[int], deed: Callable[[Location], Awaitable[None]]
) -> int:
    """Looks up each process and does something to it; one that fails does not stop the others.

    Returns:
        0, or the highest exit code of those that failed; each failure is told.
    """

    async def one(gpid: int) -> int:
        try:
            await deed(await system.locate(gpid))
        except SsiError as exc:
            complain(exc)
            return exc.exit_code
        return 0

    return max(await asyncio.gather(*(one(gpid) for gpid in gpids)), default=0)
