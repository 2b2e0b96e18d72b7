"""What all messages on the sockets of keepers and shims share."""

from __future__ import annotations

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """An array, tagged by its kind."""
