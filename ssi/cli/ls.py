"""``ssi ls``: what is in directories of any machine."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import Annotated

import typer

from ssi.cli.cat import refused
from ssi.cli.exits import highest
from ssi.cli.outcome import complain, run_async
from ssi.cli.output import Output, shows
from ssi.cli.places import Found, find, places_of
from ssi.cli.screen import width_cells
from ssi.cli.settings import settings
from ssi.client.files.guest import PATIENCE_S, Guest
from ssi.client.files.place import joined
from ssi.client.files.tree import Attributes
from ssi.client.system import System
from ssi.model.errors import SsiError, UsageError
from ssi.view.files import FileRow, file_listing, in_columns
from ssi.view.listing import Format


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What of a directory is shown."""

    hidden: bool
    itself: bool
    links: bool


@shows
def ls(
    output: Output,
    places: Annotated[
        list[str] | None, typer.Argument(metavar="[NODES:PATH]...", help="What to list.")
    ] = None,
    long: Annotated[
        bool, typer.Option("--long", "-l", help="With mode, owner, size and time.")
    ] = False,
    hidden: Annotated[
        bool, typer.Option("--all", "-a", "-A", help="Names that begin with a dot, too.")
    ] = False,
    itself: Annotated[
        bool, typer.Option("--directory", "-d", help="Directories themselves.")
    ] = False,
) -> None:
    """List files of nodes: ssi ls -l n1:/etc."""
    is_plain = output.format is Format.TABLE and not (long or output.columns or output.sort)
    wanted = _Wanted(hidden, itself, not is_plain)
    if output.watching:
        raise UsageError(text="ls looks once", hint="ssi tail -f shows what is added to a file")
    output.text(file_listing([]))

    async def body(system: System) -> int:
        async with Guest(system, settings().timeout_s or PATIENCE_S) as guest:
            asked = await places_of(system, places or ["."])
            found = await asyncio.gather(*(find(guest, place) for place in asked))
            there = [each for each in found if isinstance(each, Found)]
            told = await asyncio.gather(*(_rows(each, wanted) for each in there))
            failed = [each for each in (*found, *told) if isinstance(each, SsiError)]
        shown = [
            (str(each.place), rows)
            for each, rows in zip(there, told, strict=True)
            if isinstance(rows, list)
        ]
        if is_plain:
            _write_names(shown)
        else:
            output.write(file_listing([row for _, rows in shown for row in rows]))
        return highest(error.exit_code for error in failed)

    run_async(body)


def _write_names(shown: list[tuple[str, list[FileRow]]]) -> None:
    """Names alone, each directory below its own where there are several."""
    parts = []
    for place, rows in shown:
        names = in_columns(
            [row.name for row in rows], width_cells() if sys.stdout.isatty() else None
        )
        is_one = len(rows) == 1 and rows[0].place == place
        parts.append(names if len(shown) == 1 or is_one else f"{place}:\n{names}")
    sys.stdout.write("\n".join(parts) if any(":\n" in part for part in parts) else "".join(parts))
    sys.stdout.flush()


async def _rows(found: Found, wanted: _Wanted) -> list[FileRow] | SsiError:
    """The files of one place; why there are none is told."""
    try:
        attributes = await found.tree.look(found.path)
        if not attributes.is_directory or wanted.itself:
            return [await _row(found, found.path, found.place.path, attributes, wanted)]
        entries = sorted(await found.tree.list(found.path), key=lambda entry: entry[0])
        return [
            await _row(found, joined(found.path, name), _text(name), each, wanted)
            for name, each in entries
            if wanted.hidden or not name.startswith(b".")
        ]
    except OSError as exc:
        error: SsiError = refused(found, exc)
    except SsiError as exc:
        error = exc
    complain(error)
    return error


async def _row(
    found: Found, path: bytes, name: str, attributes: Attributes, wanted: _Wanted
) -> FileRow:
    target = b""
    if wanted.links and attributes.is_link:
        target = await found.tree.read_link(path)
    node = found.place.nodes
    return FileRow(
        place=f"{node}:{_text(path)}" if node else _text(path),
        node=node,
        path=_text(path),
        name=name,
        mode=attributes.mode,
        links=attributes.links,
        user=attributes.user or str(attributes.uid),
        group=attributes.group or str(attributes.gid),
        size_bytes=attributes.size,
        modified_at_s=attributes.mtime_ns / 1e9,
        target=_text(target),
    )


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
