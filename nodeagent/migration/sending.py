"""Images leave while CRIU still writes them, beside the dump and never in its way."""

from __future__ import annotations

from typing import Final

from nodeagent.migration.imagelane import Lane
from nodeagent.migration.images import ImageReader
from nodeagent.migration.preflight import Move
from nodeagent.migration.transfer import Courier
from ssi.model.errors import SsiError

LANE_WAIT_S: Final = 0.1


class Sending:
    """Sends the images of one move.

    What goes wrong is kept for :meth:`check`: a dump under way must not be given up, because the
    job would be left stopped by it later, when nobody looks any more.

    Attributes:
        reader: To be told when all is written, or that nothing will be.
        by_lane: They do not go over CURVE.
    """

    def __init__(self, courier: Courier, move: Move) -> None:
        self.reader = ImageReader(move.images)
        self.by_lane = False
        self._courier = courier
        self._move = move
        self._failure: BaseExceptionGroup[SsiError | OSError] | None = None

    async def run(self) -> None:
        """Ends when all has been sent, or none of it is wanted."""
        move = self._move
        try:
            move.sent = await self._courier.send(
                move.destination,
                move.key,
                self.reader.pieces(),
                packs=move.unpacks,
                lane=await self._lane(),
            )
        except* (SsiError, OSError) as group:
            self._failure = group

    async def _lane(self) -> Lane | None:
        """While CRIU begins to write there is time for what is not connected yet, and no more."""
        lane = self._move.lane
        if lane is not None and not await lane.is_open(LANE_WAIT_S):
            lane = None
        self.by_lane = lane is not None
        return lane

    def check(self) -> None:
        """All has been sent.

        Raises:
            BaseExceptionGroup: Of why it has not.
        """
        if self._failure is not None:
            raise self._failure
