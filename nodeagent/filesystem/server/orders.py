"""What the agent of a machine that is no node tells its file server."""

from __future__ import annotations

import msgspec


class Serve(msgspec.Struct, frozen=True):
    """All that is to be served now.

    Attributes:
        paths: Absolute.
        urls: Of the mounts that wait for this server.
    """

    paths: tuple[str, ...]
    urls: tuple[str, ...]
