"""Who may connect: the ZAP handler that every CURVE handshake has to pass.

CURVE alone proves only that a client has *some* key; without this handler a server accepts any
(measured). It is up before the first bind. Source: ZeroMQ RFC 27 (ZAP).
"""

from __future__ import annotations

from collections.abc import Callable

import zmq
from zmq.auth.thread import ThreadAuthenticator

DOMAIN = "ssi"

MAX_SOCKETS = 16_384
"""Of one context; ZeroMQ's own limit of 1023 is that of some 300 links."""


def make_context() -> zmq.Context[zmq.Socket[bytes]]:
    """A context with room for links to a thousand nodes."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.set(zmq.MAX_SOCKETS, MAX_SOCKETS)
    return context


class Gate:
    """Answers each handshake by asking ``is_allowed`` for the client's public key (Z85)."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], is_allowed: Callable[[str], bool]):
        self._is_allowed = is_allowed
        self._authenticator = ThreadAuthenticator(context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback(DOMAIN, credentials_provider=self)

    def callback(self, _domain: str, key: bytes) -> bool:
        """Called by the authenticator's thread with a client's key."""
        return self._is_allowed(key.decode("ascii", "replace"))

    def close(self) -> None:
        """Stops the handler; no new peer is accepted from now on."""
        self._authenticator.stop()
