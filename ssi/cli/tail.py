"""``ssi tail``: the end of files of several machines, and what is added to them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from ssi.cli.cat import refused
from ssi.cli.exits import highest
from ssi.cli.outcome import complain, note, run_async
from ssi.cli.places import Found, find, places_of
from ssi.cli.settings import settings
from ssi.client.attachment import put
from ssi.client.files.guest import PATIENCE_S, Guest
from ssi.client.files.place import absolute
from ssi.client.files.tailing import Tail
from ssi.client.system import System
from ssi.model.errors import SsiError


def tail(
    places: Annotated[list[str], typer.Argument(metavar="NODES:PATH...", help="What to show.")],
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, metavar="N", help="So many from the end.")
    ] = 10,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", "-F", help="Go on, also when the file is rotated.")
    ] = False,
) -> None:
    """Show the end of files of nodes: ssi tail -f n1..3:/var/log/syslog.

    Of several files each line says where it is from.
    """

    async def body(system: System) -> int:
        async with Guest(system, settings().timeout_s or PATIENCE_S) as guest:
            wanted = await places_of(system, places)
            found = await asyncio.gather(*(find(guest, place) for place in wanted))
            there = [each for each in found if isinstance(each, Found)]
            statuses = [each.exit_code for each in found if isinstance(each, SsiError)]
            tails = [
                _end(each, prefix, lines, follow=follow)
                for each, prefix in zip(there, _prefixes(there), strict=True)
            ]
            statuses += await asyncio.gather(*tails)
        return highest(statuses)

    run_async(body, limited=False)


async def _end(found: Found, prefix: bytes, lines: int, *, follow: bool) -> int:
    """Shows the end of one file; the exit status."""
    path = found.place.path
    place = found.path if found.place.is_here else absolute(path, found.tree.home)
    shown = Tail(found.tree, place, note)
    output = _Lines(prefix)
    try:
        try:
            async for data in shown.last(lines):
                await output.write(data)
        except FileNotFoundError:
            if not follow:
                raise
        if follow:
            async for data in shown.follow():
                await output.write(data)
    except BrokenPipeError:
        raise
    except (OSError, SsiError) as exc:
        error = refused(found, exc) if isinstance(exc, OSError) else exc
        complain(error)
        return error.exit_code
    finally:
        await output.end()
        await shown.close()
    return 0


class _Lines:
    """Writes what comes, each whole line behind a prefix; without one, as it comes."""

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix
        self._begun = b""

    async def write(self, data: bytes) -> None:
        if not self._prefix:
            await put(1, data)
            return
        *whole, self._begun = (self._begun + data).split(b"\n")
        if whole:
            await put(1, b"".join(self._prefix + line + b"\n" for line in whole))

    async def end(self) -> None:
        """What has no end of line yet gets one."""
        if self._begun:
            begun, self._begun = self._begun, b""
            await put(1, self._prefix + begun + b"\n")


def _prefixes(found: Sequence[Found]) -> list[bytes]:
    """What each line begins with: nothing for a single file, else as little as tells them apart."""
    if len(found) == 1:
        return [b""]
    if len({each.place.nodes for each in found}) == len(found):
        return [f"{each.place.nodes or 'here'}: ".encode() for each in found]
    return [f"{each.place}: ".encode("utf-8", "surrogateescape") for each in found]
