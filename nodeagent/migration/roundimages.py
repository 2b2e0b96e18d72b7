"""Where images of memory lie that went ahead: each round beside the others, chained as CRIU wants.

A round leaves out what the one before holds, which CRIU finds by a symbolic link ``parent`` in its
directory; likewise the dump, whose directory holds them all. Source: CRIU 4.2 ``image.c``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_PREFIX: Final = "ahead-"
_PARENT: Final = "parent"
_IMAGE: Final = re.compile(rf"(?:{_PREFIX}\d/)?[^/.][^/]*")


def round_name(number: int) -> str:
    """Name of its directory, and first part of the names of its images."""
    return f"{_PREFIX}{number}"


def is_image_name(name: str) -> bool:
    """Whether an image of a round or of the dump may be called that: it stays in its directory."""
    return _IMAGE.fullmatch(name) is not None


def make_round_of(images: Path, name: str) -> None:
    """Makes the directory in which an image of that name is to lie, where it is one of a round.

    Raises:
        OSError: It cannot be made.
    """
    part, slash, _name = name.partition("/")
    directory = images / part
    if not slash or directory.is_dir():
        return
    directory.mkdir(mode=0o700)
    number = int(part.removeprefix(_PREFIX))
    if number:
        (directory / _PARENT).symlink_to(f"../{round_name(number - 1)}")


def link_dump(images: Path, names: Iterable[str]) -> None:
    """The dump gets the last of the rounds for its parent, if its move had any.

    Args:
        images: Of the dump.
        names: All images of the move.

    Raises:
        OSError: It cannot be linked.
    """
    rounds = {part for part, slash, _name in (name.partition("/") for name in names) if slash}
    if rounds:
        (images / _PARENT).symlink_to(max(rounds))
