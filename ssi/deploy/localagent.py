"""The deploying user's own client-mode agent, which has to learn of a new roster too."""

from __future__ import annotations

import os
import signal
import socket
import time

import msgspec

from ssi.client import paths
from ssi.deploy import door
from ssi.model.errors import SsiError
from ssi.model.node import Roster
from ssi.model.unreadable import UNREADABLE
from ssi.protocol.message import Done
from ssi.protocol.system import InstallRoster

TIMEOUT_S = 3.0


class _Ready(msgspec.Struct, frozen=True):
    pid: int
    public_key: str = ""


def tell_local_agent(roster: Roster, public_key: str) -> None:
    """The client-mode agent knows the roster, or has ended: the next command starts it again.

    Args:
        roster: The new one.
        public_key: By which the nodes know us. An agent that has another one is from before the
            file of the key was moved away.
    """
    ready = _ready()
    if ready is not None and ready.public_key != public_key:
        end_local_agent()
    try:
        _ask(door.question(InstallRoster(roster=roster)))
    except FileNotFoundError:
        return
    except (OSError, SsiError):  # of another system, hung, or not ours to tell
        end_local_agent()


def end_local_agent() -> None:
    """No client-mode agent runs."""
    ready = _ready()
    if ready is None:
        return
    try:
        os.kill(ready.pid, signal.SIGTERM)
    except OSError:
        return
    give_up_at_s = time.monotonic() + TIMEOUT_S
    while paths.client_door().exists() and time.monotonic() < give_up_at_s:
        if not os.path.exists(f"/proc/{ready.pid}"):  # noqa: PTH110 - of a pid
            return
        time.sleep(0.02)


def _ready() -> _Ready | None:
    try:
        return msgspec.json.decode((paths.client_runtime() / "ready").read_bytes(), type=_Ready)
    except (OSError, *UNREADABLE):
        return None


def _ask(request: bytes) -> Done:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(TIMEOUT_S)
        peer.connect(str(paths.client_door()))
        with peer.makefile("rwb") as stream:
            stream.write(len(request).to_bytes(4, "big") + request)
            stream.flush()
            length = int.from_bytes(stream.read(4), "big")
            return door.answer(stream.read(min(length, 1024 * 1024)), Done)
