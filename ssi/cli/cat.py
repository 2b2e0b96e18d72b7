"""``ssi cat``: files of any machine, one after the other."""

from __future__ import annotations

from typing import Annotated

import typer

from ssi.cli.exits import highest
from ssi.cli.outcome import complain, run_async
from ssi.cli.places import Found, find, places_of
from ssi.cli.settings import settings
from ssi.client.attachment import put
from ssi.client.files.errors import FileFailed
from ssi.client.files.guest import PATIENCE_S, Guest
from ssi.client.files.reading import contents
from ssi.client.system import System
from ssi.model.errors import SsiError

UNSERVED = (b"/proc", b"/sys")
"""What the kernel makes up is no file that could be served."""


def cat(
    places: Annotated[list[str], typer.Argument(metavar="NODES:PATH...", help="What to show.")],
) -> None:
    """Show files of nodes: ssi cat n1:/etc/hostname."""

    async def body(system: System) -> int:
        async with Guest(system, settings().timeout_s or PATIENCE_S) as guest:
            statuses = [0]
            for place in await places_of(system, places):
                found = await find(guest, place)
                failed = await _show(found) if isinstance(found, Found) else found
                statuses.append(failed.exit_code if failed is not None else 0)
        return highest(statuses)

    run_async(body, limited=False)


async def _show(found: Found) -> SsiError | None:
    """Writes one to stdout; what it failed with is told."""
    try:
        async for data in contents(found.tree, found.path):
            await put(1, bytes(data))
    except BrokenPipeError:
        raise
    except OSError as exc:
        error: SsiError = refused(found, exc)
    except SsiError as exc:
        error = exc
    else:
        return None
    complain(error)
    return error


def refused(found: Found, exc: OSError) -> FileFailed:
    """What the user is told of a file that cannot be read."""
    hint = ""
    if found.tree.node and found.path.startswith(UNSERVED):
        path = found.path.decode("utf-8", "replace")
        hint = f"`ssi run -n {found.tree.node} -- cat {path}` shows it"
    return FileFailed(place=str(found.place), reason=exc.strerror or str(exc), hint=hint)
