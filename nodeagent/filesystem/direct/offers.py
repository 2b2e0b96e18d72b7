"""Keys for connections that were offered and not made yet."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from nodeagent.mechanism.aesgcm import KEY_BYTES

TOKEN_BYTES: Final = 16
OFFERED_S: Final = 10.0
MAX_OFFERS: Final = 1024
"""Of more that are not taken, the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One connection that somebody may make.

    Attributes:
        token: Names it, and is no secret.
        key: For both directions; whoever has it is believed to be ``peer``.
        peer: The public key to which it was told over CURVE.
        until_s: By the clock of :class:`Offers`.
    """

    token: bytes
    key: bytes
    peer: str
    until_s: float

    def __repr__(self) -> str:
        return f"Offer(peer={self.peer[:8]!r})"


class Offers:
    """Each is good for one connection, and for a short time. Any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._offers: dict[bytes, Offer] = {}

    def make(self, peer: str) -> Offer:
        """A new one."""
        token, key = secrets.token_bytes(TOKEN_BYTES), secrets.token_bytes(KEY_BYTES)
        offer = Offer(token, key, peer, self._clock() + OFFERED_S)
        with self._lock:
            self._forget_late()
            while len(self._offers) >= MAX_OFFERS:
                del self._offers[next(iter(self._offers))]
            self._offers[token] = offer
        return offer

    def take(self, token: bytes) -> Offer | None:
        """The one of that token, once."""
        with self._lock:
            self._forget_late()
            return self._offers.pop(token, None)

    def _forget_late(self) -> None:
        now_s = self._clock()
        for token, offer in list(self._offers.items()):
            if offer.until_s > now_s:
                return  # they stand in the order of their making
            del self._offers[token]
