"""Bytes on their way out: files while the job runs, images while CRIU still writes them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Final

from nodeagent.migration.imagelane import Lane
from nodeagent.migration.images import ImageReader
from nodeagent.migration.move import Move
from nodeagent.migration.transfer import Courier, Sent, file_pieces
from ssi.model.errors import SsiError
from ssi.protocol.migration import FileMeta, Piece

_log: Final = logging.getLogger(__name__)

LANE_WAIT_S: Final = 0.1
"""For one that is not connected yet; then the bulk link is taken."""


async def send_files(
    courier: Courier,
    move: Move,
    wanted: Sequence[tuple[FileMeta, Sequence[int]]],
    *,
    frozen: bool,
) -> Sent:
    """Sends these chunks of files; all of them have been taken once it returns.

    Args:
        courier: Sends them.
        move: What they belong to.
        wanted: Files, and which chunks of each.
        frozen: The job stands still, and its images have the lane.

    Raises:
        OSError: One cannot be read.
        SsiError: The destination refused one or fell silent.
    """
    if not any(chunks for _meta, chunks in wanted):
        return Sent()
    pieces = _pieces(move, wanted, frozen=frozen)
    takes_lane = move.offer is not None and move.offer.files and not frozen
    lane = await _open_lane(move) if takes_lane else None
    _log.info("event=files-leave gpid=%d by_lane=%s", move.row.gpid, lane is not None)
    node, packs = move.destination, move.unpacks
    return await courier.send(node, move.key, pieces, packs=packs, lane=lane, is_last=False)


def _pieces(
    move: Move, wanted: Sequence[tuple[FileMeta, Sequence[int]]], *, frozen: bool
) -> Iterator[Piece]:
    sources = move.plan.sources
    for meta, chunks in wanted:
        try:
            yield from file_pieces(sources[meta.path], chunks)
        except FileNotFoundError:
            if frozen:
                raise
            move.forget({meta.path})  # its job has closed it


async def _open_lane(move: Move) -> Lane | None:
    """Its lane, where that is connected in time."""
    lane = move.lane
    return lane if lane is not None and await lane.is_open(LANE_WAIT_S) else None


class Sending:
    """Sends images of one move, of its dump or of a round that goes ahead.

    What goes wrong is kept for :meth:`check`: a dump under way must not be given up, because the
    job would be left stopped by it later, when nobody looks any more.

    Args:
        part: Directory of the round within the images; empty: those of the dump, the last ones.

    Attributes:
        reader: To be told when all is written, or that nothing will be.
        by_lane: They do not go over CURVE.
    """

    def __init__(self, courier: Courier, move: Move, part: str = "") -> None:
        self.reader = ImageReader(move.images, part)
        self._is_last = not part
        self.by_lane = False
        self._courier = courier
        self._move = move
        self._failure: BaseExceptionGroup[SsiError | OSError] | None = None

    async def run(self) -> None:
        """Ends when all has been sent, or none of it is wanted."""
        move = self._move
        lane = await _open_lane(move)
        self.by_lane = lane is not None
        try:
            move.sent += await self._courier.send(
                move.destination,
                move.key,
                self.reader.pieces(),
                packs=move.unpacks,
                lane=lane,
                is_last=self._is_last,
            )
        except* (SsiError, OSError) as group:
            self._failure = group

    def check(self) -> None:
        """All has been sent.

        Raises:
            BaseExceptionGroup: Of why it has not.
        """
        if self._failure is not None:
            raise self._failure
