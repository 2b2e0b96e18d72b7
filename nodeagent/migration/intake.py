"""Bytes of a job on its way to this node: pieces of its images and of its files."""

from __future__ import annotations

import os
from collections.abc import Sequence

from nodeagent.migration.arrival import Arrival
from nodeagent.migration.images import checksum_of
from nodeagent.migration.packing import Packer
from ssi.model.shim import RestoreFailed
from ssi.protocol.migration import Piece


def take_in(arrival: Arrival, packer: Packer, pieces: Sequence[Piece]) -> None:
    """Writes pieces where they belong: absolute paths are files of the job, others its images.

    Raises:
        RestoreFailed: An image cannot be written, or a piece is not the next one of its image.
        FileConflict: A file cannot be written, or a piece of it was not announced.
    """
    for piece in pieces:
        data = packer.unpack(piece)
        if piece.file.startswith("/"):
            arrival.landing.put(piece.file, piece.offset, data)
        else:
            _put_image(arrival, piece.file, piece.offset, data)


def _put_image(arrival: Arrival, name: str, offset: int, data: bytes) -> None:
    checksum, size = arrival.checksums.get(name, (0, 0))
    if "/" in name or name.startswith(".") or offset != size:
        raise RestoreFailed(reason=f"image {name!r} arrived out of order")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(arrival.images / name, flags, 0o600)
        try:
            os.pwrite(descriptor, data, offset)
        finally:
            os.close(descriptor)
    except OSError as exc:
        raise RestoreFailed(reason=f"image {name}: {exc.strerror}") from exc
    arrival.checksums[name] = (checksum_of(name, data, checksum), size + len(data))
