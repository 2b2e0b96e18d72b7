"""Carries out a copy here: finds out what the paths are, and copies one after the other."""

from __future__ import annotations

import os

from ssi.client.files.copier import Copier, CopyOptions, Report, name_within
from ssi.client.files.errand import Errand
from ssi.client.files.errors import FileFailed
from ssi.client.files.guest import Guest
from ssi.client.files.place import Place, absolute
from ssi.client.files.tree import Tree, label


async def deliver(guest: Guest, errand: Errand, options: CopyOptions, report: Report) -> None:
    """Copies; what is passed over is told to ``report``.

    Raises:
        FileFailed: The target cannot be used at all.
        NoRoom: Its disk is full.
        SsiError: A machine cannot be asked.
    """
    target = await guest.tree(errand.target.nodes)
    place = await resolved(target, errand.target, follow=True)
    is_directory = await _is_directory(target, place)
    if errand.target.must_be_directory and not is_directory:
        may_be_made = options.recursive and len(errand.sources) == 1
        if not may_be_made or errand.target.path.endswith("./"):
            raise FileFailed(place=str(errand.target), reason="there is no such directory")
    for source in errand.sources:
        tree = await guest.tree(source.nodes)
        follow = not options.recursive or source.must_be_directory
        try:
            path = await resolved(tree, source, follow=follow)
        except FileFailed as exc:
            report.failed(exc)
            continue
        end = name_within(place, path) if is_directory else place
        await Copier(tree, target, options, report).copy(path, end)


async def resolved(tree: Tree, place: Place, *, follow: bool) -> bytes:
    """The path of a place from the root on.

    Raises:
        FileFailed: Something on its way is missing or may not be entered.
        SsiError: The machine cannot be asked.
    """
    path = os.fsencode(place.path) if place.is_here else absolute(place.path, tree.home)
    try:
        return await tree.resolve(path, follow=follow)
    except OSError as exc:
        raise FileFailed(place=str(place), reason=exc.strerror or str(exc)) from exc


async def _is_directory(tree: Tree, path: bytes) -> bool:
    try:
        return (await tree.look(path)).is_directory
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as exc:
        raise FileFailed(place=label(tree, path), reason=exc.strerror or str(exc)) from exc
