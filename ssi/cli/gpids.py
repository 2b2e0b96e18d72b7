"""Gpids on the command line: read, looked up where they are, and done to one after another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from ssi.cli.exits import highest
from ssi.cli.outcome import complain
from ssi.cli.output import Output
from ssi.client.system import Location, System
from ssi.model.errors import SsiError, UsageError
from ssi.model.gpid import Gpid, parse_gpid
from ssi.view.jsonview import JsonObject
from ssi.view.listing import Report


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
    system: System,
    gpids: Sequence[int],
    deed: Callable[[Location], Awaitable[None]],
    output: Output | None = None,
    *,
    at_once: Callable[[int, str], Awaitable[bool]] | None = None,
) -> int:
    """Looks up each process and does something to it; one that fails does not stop the others.

    Args:
        system: To ask.
        gpids: Of the processes.
        deed: What is done to each.
        output: Where programs hear what became of each; None where the deed tells.
        at_once: Does it by the number alone, on the node where that was given; False where the
            process is not there, and so has to be looked up.

    Returns:
        0, or the highest exit code of those that failed; each kind of failure is told once.
    """

    async def one(gpid: int) -> tuple[str, SsiError | None]:
        node = ""

        async def there(location: Location) -> None:
            nonlocal node
            node = location.node
            await deed(location)

        try:
            if at_once is not None:
                node = await system.birthplace(gpid)
                if node and await at_once(gpid, node):
                    return node, None
            await system.follow(gpid, there)
        except SsiError as exc:
            return node, exc
        return node, None

    fates = await asyncio.gather(*(one(gpid) for gpid in gpids))
    errors = {str(error): error for _node, error in fates if error is not None}
    for error in errors.values():
        complain(error)
    if output is not None:
        results = [_result(gpid, *fate) for gpid, fate in zip(gpids, fates, strict=True)]
        named = [str(each["gpid"]) for each in results if each["error"] is None]
        output.told(Report(lines=(), results=results, named=named))
    return highest(error.exit_code for error in errors.values())


def _result(gpid: int, node: str, error: SsiError | None) -> JsonObject:
    return {
        "gpid": gpid,
        "node": node or None,
        "error": None if error is None else error.word,
        "reason": None if error is None else error.what(),
    }
