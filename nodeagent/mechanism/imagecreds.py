"""As whom the threads of CRIU's images run.

Source: CRIU 4.2 ``images/core.proto`` (entry 5, field 10) and ``images/creds.proto``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from nodeagent.mechanism.crimage import BadImage, Field, decode_fields, split_image

_THREAD: Final = 5
_CREDENTIALS: Final = 10
_IDS: Final = range(1, 9)
_SETS: Final = (9, 10, 11, 12)
_GROUPS: Final = 14


class ImageCredentials(NamedTuple):
    """One thread: uids each followed by its gid; four capability sets; groups."""

    thread: int
    ids: tuple[int, ...]
    capabilities: tuple[int, int, int, int]
    groups: tuple[int, ...]


def read_image_credentials(images: Path) -> list[ImageCredentials]:
    """Of every thread, by ascending id.

    Raises:
        BadImage: An image is not as we know it.
        OSError: It cannot be read.
    """
    found = []
    for path in images.glob("core-*.img"):
        thread = int(path.stem.removeprefix("core-"))
        _head, entries = split_image(path.read_bytes())
        found.append(parse_credentials(thread, entries[0] if entries else b""))
    return sorted(found)


def parse_credentials(thread: int, core: bytes) -> ImageCredentials:
    """Those of one entry of a core image.

    Raises:
        BadImage: It has none.
    """
    fields = decode_fields(_within(_within(core, _THREAD), _CREDENTIALS))
    ids = tuple(_numbers(fields, number)[0] for number in _IDS)
    first, second, third, fourth = (_set_of(_numbers(fields, number)) for number in _SETS)
    groups = tuple(_numbers(fields, _GROUPS))
    return ImageCredentials(thread, ids, (first, second, third, fourth), groups)


def _within(entry: bytes, number: int) -> bytes:
    for field in decode_fields(entry):
        if field.number == number and isinstance(field.value, bytes):
            return field.value
    raise BadImage(f"a core image has no field {number}")


def _numbers(fields: list[Field], number: int) -> list[int]:
    found = [
        field.value for field in fields if field.number == number and isinstance(field.value, int)
    ]
    if not found and number != _GROUPS:
        raise BadImage(f"credentials have no field {number}")
    return found


def _set_of(words: list[int]) -> int:
    """A capability set is written as words of 32 bits, the lowest first."""
    return sum(word << 32 * index for index, word in enumerate(words))
