"""Bytes of a job on its way to this node: pieces of its images and of its files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from nodeagent.mechanism.allocator import ALLOCATOR
from nodeagent.migration.arrival import Arrival
from nodeagent.migration.imagelane import Part
from nodeagent.migration.imagelaneend import LaneEnd, offer_lane
from nodeagent.migration.images import checksum_of
from nodeagent.migration.landing import write_at
from nodeagent.migration.packing import Packer
from nodeagent.migration.roundimages import is_image_name, make_round_of
from ssi.model.shim import RestoreFailed
from ssi.protocol.migration import Piece

OfferLane: TypeAlias = Callable[[Arrival, Packer], LaneEnd | None]


def take_in(arrival: Arrival, packer: Packer, pieces: Sequence[Piece]) -> None:
    """Writes pieces where they belong: absolute paths are files of the job, others its images.

    Raises:
        RestoreFailed: An image cannot be written, or a piece is not the next one of its image.
        FileConflict: A file cannot be written, or a piece of it was not announced.
        SsiError: Images came by a lane, and one could not be written.
    """
    ALLOCATOR.keep()
    if arrival.lane is not None:
        arrival.lane.check()
    for piece in pieces:
        _put(arrival, piece.file, piece.offset, packer.unpack(piece))


def _put(arrival: Arrival, name: str, offset: int, data: bytes | memoryview) -> None:
    if name.startswith("/"):
        arrival.landing.put(name, offset, data)
    else:
        put_image(arrival, name, offset, data)


def put_image(arrival: Arrival, name: str, offset: int, data: bytes | memoryview) -> None:
    """Writes a piece of an image.

    Raises:
        RestoreFailed: It cannot be written, or is not the next one of its image.
    """
    checksum, size = arrival.checksums.get(name, (0, 0))
    if not is_image_name(name) or offset != size:
        raise RestoreFailed(reason=f"image {name!r} arrived out of order")
    try:
        if size == 0:
            make_round_of(arrival.images, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(f"{arrival.images}/{name}", flags, 0o600)
        try:
            write_at(descriptor, data, offset)
        finally:
            os.close(descriptor)
    except OSError as exc:
        raise RestoreFailed(reason=f"image {name}: {exc.strerror}") from exc
    arrival.checksums[name] = (checksum_of(name, data, checksum), size + len(data))


def check_images(arrival: Arrival, announced: Sequence[tuple[str, int, int]]) -> None:
    """Holds when all that the source has sent is there: name, size and CRC-32 of each image.

    Raises:
        RestoreFailed: It is not.
    """
    for name, size, checksum in announced:
        if arrival.checksums.get(name) != (checksum, size):
            raise RestoreFailed(reason=f"image {name} is not what the source sent")


def lane_for(arrival: Arrival, packer: Packer) -> LaneEnd | None:
    """An end of a lane that writes what comes where it belongs; None where there can be none."""

    def take(part: Part, data: memoryview) -> None:
        arrival.heard_at_s = time.monotonic()
        if part.unpacked_bytes:
            piece = Piece(part.image, part.offset, bytes(data), part.unpacked_bytes)
            _put(arrival, part.image, part.offset, packer.unpack(piece))
        else:
            _put(arrival, part.image, part.offset, data)

    return offer_lane(take)
