"""The direct connection of a link to a file server: sought, used while it stands, and missed.

It is only quicker: whatever was sent over it and not answered when it ends is sent again over the
connection of CURVE, without which there is none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from ssi.protocol.filereplies import FileReply, Way

AGAIN_S: Final = 2.0
"""One that ended is sought again so soon; one that could not be made ever more rarely."""

AGAIN_MOST_S: Final = 60.0
"""At last, for a firewall is in the way, most likely."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Events:
    """What is told of a direct connection.

    Attributes:
        ready: Both ends have proved that they have the key.
        came: A message and the data behind it, valid during the call.
        gone: It has ended, by itself.
    """

    ready: Callable[[], None]
    came: Callable[[bytes, memoryview], None]
    gone: Callable[[], None]


class Direct(Protocol):
    """A direct connection."""

    def send(self, head: bytes, data: bytes | memoryview) -> None:
        """Sends a message and the data behind it."""

    def close(self) -> None:
        """Ends it; nothing is told of it any more."""


class Dialler(Protocol):
    """Makes direct connections."""

    def dial(self, address: str, port: int, way: Way, events: Events) -> Direct | None:
        """Begins to connect; None where that is not possible."""


class Timers(Protocol):
    """What calls back."""

    def call_after(self, delay_s: float, callback: Callable[[], None]) -> object:
        """Calls ``callback`` once, ``delay_s`` from now."""


class DirectPath:
    """See the module.

    Args:
        node: For the log.
        dialler: None where there are to be no direct connections.
        timers: For another attempt.
        find: Asks the server for a way; what it is given is called with the outcome.
        came: Takes what comes.
        lost: Sends again what was sent over it and has no answer.
    """

    def __init__(
        self,
        node: str,
        dialler: Dialler | None,
        timers: Timers,
        *,
        find: Callable[[Callable[[int, FileReply | None, memoryview], None]], None],
        came: Callable[[bytes, memoryview], None],
        lost: Callable[[], None],
    ) -> None:
        self.stands: Direct | None = None
        """The connection, once both ends have proved that they have the key."""
        self._node, self._dialler, self._timers = node, dialler, timers
        self._find, self._came, self._lost = find, came, lost
        self._made: Direct | None = None
        self._address, self._port = "", 0
        self._is_sought = False
        self._attempt = 0
        self._again_s = AGAIN_S

    def seek(self, address: str, port: int) -> None:
        """The server has welcomed us, and takes direct connections at a port that is not 0."""
        self._address, self._port = address, port
        if self._dialler is not None and port and address and self._made is None:
            self._ask()

    def drop(self) -> None:
        """Ends it, and does not seek another until we are welcomed again."""
        self._attempt += 1
        self._port = 0
        made, self._made, self.stands = self._made, None, None
        if made is not None:
            made.close()

    def _ask(self) -> None:
        if not self._is_sought:
            self._is_sought = True
            self._find(self._dial)

    def _dial(self, error: int, reply: FileReply | None, _data: memoryview) -> None:
        self._is_sought = False
        if error or not isinstance(reply, Way) or not self._port or self._made is not None:
            return
        assert self._dialler is not None
        events = Events(self._ready, self._came, self._gone)
        self._made = self._dialler.dial(self._address, self._port, reply, events)
        if self._made is None:
            _log.info("event=files-not-direct node=%s port=%d", self._node, self._port)

    def _ready(self) -> None:
        self.stands = self._made
        self._again_s = AGAIN_S
        _log.info("event=files-direct node=%s port=%d", self._node, self._port)

    def _gone(self) -> None:
        was_ready = self.stands is not None
        self._made = self.stands = None
        self._attempt += 1
        attempt = self._attempt
        _log.info(
            "event=%s node=%s port=%d",
            "files-direct-ended" if was_ready else "files-not-direct", self._node, self._port,
        )  # fmt: skip

        def again() -> None:
            if attempt == self._attempt and self._port and self._made is None:
                self._ask()

        self._timers.call_after(self._again_s, again)
        self._again_s = min(self._again_s * 2, AGAIN_MOST_S)
        if was_ready:
            self._lost()
