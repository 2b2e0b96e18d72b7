"""Pieces packed by zstd, where that is faster than the link; what decides so is pure.

Level 1 of zstd: measured on one core it packs the heap of a program at 408 MB/s to 0.26 of its size
and machine code at 217 MB/s to 0.59 (lz4: 704 MB/s to 0.49, 317 MB/s to 0.71). On every link below
some 200 MB/s it is the ratio that counts, so zstd moves more bytes per second; above that neither
is worth a core at both ends. Random bytes pass at several GB/s and are sent as they are.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from ssi.model.shim import RestoreFailed
from ssi.protocol.envelope import BULK_CHUNK_BYTES
from ssi.protocol.migration import Piece
from ssi.transport.linkrate import LinkReading

if TYPE_CHECKING:
    import zstandard

LEVEL: Final = 1

USUAL_PACKER_RATE: Final = 300e6
"""Bytes per second, until it has been measured; what is trivial to pack may be faster, but no link
of such a speed gains anything that is worth the work at both ends."""

WORTH_WHILE: Final = 0.9
"""Packed if the link is slower than this part of the packer's rate: equal speeds gain nothing."""

ENOUGH_BYTES: Final = 512 * 1024
"""Before a connection has carried so much, it is still finding out what the link can do."""

READINGS: Final = 5
"""Of which the median counts: single ones are far off, most of all behind a token bucket."""

SMALL_BYTES: Final = 256
_FRESH: Final = 0.3
"""Weight of a new measurement."""


@dataclass(slots=True)
class PackingRule:
    """Decides again with every message, from how fast the link and the packer were of late.

    Attributes:
        packer_rate: Bytes per second that go in.
    """

    packer_rate: float = USUAL_PACKER_RATE
    _last: LinkReading | None = None
    _rates: deque[float] = field(default_factory=lambda: deque(maxlen=READINGS))

    @property
    def link_rate(self) -> float | None:
        """Bytes per second, the median of the last readings; None before there were any."""
        from statistics import median

        return median(self._rates) if self._rates else None

    @property
    def packs(self) -> bool:
        """Whether the next piece is to be packed."""
        return self.link_rate is not None and self.link_rate < self.packer_rate * WORTH_WHILE

    def saw_link(self, reading: LinkReading | None) -> None:
        """The connection says so; what it says of a few bytes, or while starved, is no measure.

        A starved link is at least as fast as it looks, so what looks faster than before counts. The
        same again is no other measurement: nothing was acknowledged since.
        """
        if reading is None or reading.acked_bytes < ENOUGH_BYTES or reading == self._last:
            return
        self._last = reading
        if not reading.starved or reading.rate > (self.link_rate or 0.0):
            self._rates.append(reading.rate)

    def saw_packing(self, size_bytes: int, elapsed_s: float) -> None:
        """So many bytes were packed within that time."""
        rate = min(size_bytes / max(elapsed_s, 1e-6), USUAL_PACKER_RATE)
        self.packer_rate += (rate - self.packer_rate) * _FRESH


class Packer:
    """Packs and unpacks, in whichever threads it is called.

    The library is loaded when it is first needed: an agent that moves nothing does not hold it in
    memory. A compressor is one thread's own, as zstd asks for.
    """

    def __init__(self) -> None:
        self._own = threading.local()

    def pack(self, piece: Piece, rule: PackingRule) -> Piece:
        """The piece packed if that makes it smaller; tells the rule how long it took."""
        if len(piece.data) < SMALL_BYTES:
            return piece
        began_s = time.perf_counter()
        packed = self._compressor().compress(piece.data)
        rule.saw_packing(len(piece.data), time.perf_counter() - began_s)
        if len(packed) >= len(piece.data) * WORTH_WHILE:
            return piece
        return msgspec.structs.replace(piece, data=packed, unpacked_bytes=len(piece.data))

    def unpack(self, piece: Piece) -> bytes:
        """Its bytes as they were.

        Raises:
            RestoreFailed: They cannot be made of it, or would be more than a message may carry.
        """
        if piece.unpacked_bytes == 0:
            return piece.data
        import zstandard

        if not 0 < piece.unpacked_bytes <= BULK_CHUNK_BYTES:
            raise RestoreFailed(reason=f"a piece of {piece.file} is larger than may be")
        try:
            data = zstandard.ZstdDecompressor().decompress(
                piece.data, max_output_size=piece.unpacked_bytes
            )
        except zstandard.ZstdError as exc:
            raise RestoreFailed(reason=f"a piece of {piece.file} cannot be unpacked") from exc
        if len(data) != piece.unpacked_bytes:
            raise RestoreFailed(reason=f"a piece of {piece.file} is not as long as announced")
        return data

    def _compressor(self) -> zstandard.ZstdCompressor:
        import zstandard

        known = getattr(self._own, "compressor", None)
        if known is None:
            known = self._own.compressor = zstandard.ZstdCompressor(level=LEVEL)
        assert isinstance(known, zstandard.ZstdCompressor)
        return known
