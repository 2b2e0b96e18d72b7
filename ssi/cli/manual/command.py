"""``ssi man``: the manual, shown by man(1) or put where it finds it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from ssi.cli.manual import roff
from ssi.cli.manual.page import Page, pages_of
from ssi.cli.outcome import note
from ssi.model.errors import UsageError


def man(
    verb: Annotated[
        list[str] | None,
        typer.Argument(metavar="[VERB]...", help="Of which verb: run, lab. Of ssi if left out."),
    ] = None,
    as_roff: Annotated[
        bool, typer.Option("--roff", help="Print what man(1) reads, to be put somewhere.")
    ] = False,
    install: Annotated[
        bool,
        typer.Option("--install", help="Write all pages where man(1) finds them, and say where."),
    ] = False,
) -> None:
    """Show the manual of a verb; `--install` puts all of it where your `man` looks."""
    from ssi.cli.main import tree

    pages = pages_of(tree())
    if install:
        if verb or as_roff:
            raise UsageError(text="--install is for all pages", hint="ssi man --install")
        _install(pages)
        return
    page = page_named(verb or [], pages)
    if as_roff:
        sys.stdout.write(roff.render(page))
        return
    raise typer.Exit(_show(page))


def page_named(words: list[str], pages: list[Page]) -> Page:
    """The page that somebody asks for: `run`, `lab up`, or `ssi-run` as man(1) has it.

    Raises:
        UsageError: There is none.
    """
    name = " ".join(" ".join(words).replace("-", " ").split()).removeprefix("ssi").strip()
    for page in pages:
        if any(each.name == f"ssi {name}".strip() for each in page.whole):
            return page
    raise UsageError(text=f"there is no verb {name!r}", hint="`ssi man` lists all of them")


def place() -> Path:
    """Where a user's man(1) looks for pages of the first section."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    return data / "man" / "man1"


def _show(page: Page) -> int:
    """The exit status of man(1); where there is none, its source is shown, which can be read."""
    program = shutil.which("man")
    if program is None:
        note("man is not installed (apt-get install man-db): this is the source of the page")
        sys.stdout.write(roff.render(page))
        return 0
    with TemporaryDirectory(prefix="ssi-man-") as folder:
        path = Path(folder) / roff.file_of(page)
        path.write_text(roff.render(page), encoding="utf-8")
        return subprocess.run([program, "-l", str(path)], check=False).returncode


def _install(pages: list[Page]) -> None:
    folder = place()
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {roff.file_of(page): roff.render(page).encode() for page in pages}
    stale = [path for path in folder.glob("ssi*.1") if path.name not in wanted and _is_ours(path)]
    written = [name for name, text in wanted.items() if not _has(folder / name, text)]
    for name in written:
        temporary = folder / f".{name}.{os.getpid()}"
        temporary.write_bytes(wanted[name])
        temporary.replace(folder / name)
    for path in stale:
        path.unlink()
    print(f"{folder}: {len(written)} of {len(wanted)} pages written, {len(stale)} removed")
    print("`man ssi` and `man ssi-run` show them")


def _has(path: Path, text: bytes) -> bool:
    try:
        return path.read_bytes() == text
    except OSError:
        return False


def _is_ours(path: Path) -> bool:
    """Whether a page was written by us: of another program whose name begins alike, it was not."""
    with path.open("rb") as file:
        return b"./dev docs" in file.readline()
