"""What an agent says to a keeper, and what the host calls the keeper's own processes."""

from __future__ import annotations

from typing import Final

from nodeagent.shim.message import Message

KEEPER_NAME: Final = "ssi-keeper"
"""What the host calls a keeper (its ``comm``)."""

SHIM_NAME: Final = "ssi-shim"
"""What it calls a shim, and a child of one before that has begun its program."""

SPARE_NAME: Final = "ssi-spare"
"""What it calls a shim that the keeper has forked ahead, and that waits for its job."""


class ForkShim(Message, frozen=True, tag="fork-shim"):
    """Forks a shim that will hold one job: :class:`ShimForked` once its socket listens.

    Attributes:
        directory: Absolute, existing, 0700: the shim puts ``shim.sock`` and its log there.
        namespaces: Make pid, mount and ipc namespaces (needs root).
    """

    directory: str
    namespaces: bool


class ShimForked(Message, frozen=True, tag="shim-forked"):
    """The shim listens; its pid as the host sees it."""

    pid: int
