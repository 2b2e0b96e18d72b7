"""How the agent asks the warden: one message, and one answer, over a Unix socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

import msgspec

from nodeagent.filesystem.mount.clientuser import ClientUser
from nodeagent.filesystem.mount.options import MountOptions
from nodeagent.mechanism.loop import Loop
from ssi.model.files import MountRow
from ssi.model.unreadable import UNREADABLE

MAX_BYTES: Final = 1024 * 1024
TIMEOUT_S: Final = 5.0


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """What the warden is to do.

    Attributes:
        deed: ``list`` changes nothing; ``replace`` goes on with other code; ``receive`` mounts the
            files of a machine that is no node, once for however many ask.
        node: Whose files to mount.
        point: Where; empty for the usual place.
        options: How the mount behaves.
        lib: The directory that holds the other code.
        public_key: Of the machine that is no node.
        client: Whose files those are.
    """

    deed: Literal["list", "mount", "unmount", "replace", "receive"]
    node: str = ""
    point: str = ""
    options: MountOptions = MountOptions()
    lib: str = ""
    public_key: str = ""
    client: ClientUser | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: all mounts, or why it was not done.

    Attributes:
        port: Where a machine that is no node is awaited.
    """

    rows: list[MountRow] = []
    refusal: str = ""
    port: int = 0


class Refused(Exception):
    """The warden cannot do it; the text tells why."""


_controls: Final = msgspec.msgpack.Decoder(Control)
_outcomes: Final = msgspec.msgpack.Decoder(Outcome)
_encoder: Final = msgspec.msgpack.Encoder()


def serve_control(loop: Loop, path: Path, perform: Callable[[Control], Outcome]) -> None:
    """Answers on a socket at ``path`` from now on."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(8)
    listener.setblocking(False)

    def accept() -> None:
        with suppress(BlockingIOError):
            connection, _ = listener.accept()
            connection.setblocking(False)
            loop.watch(connection.fileno(), readable=lambda: answer(connection))

    def answer(connection: socket.socket) -> None:
        loop.watch(connection.fileno())
        with connection:
            try:
                outcome = perform(_decoded(connection.recv(MAX_BYTES)))
            except Refused as exc:
                outcome = Outcome(refusal=str(exc) or "it cannot be done")
            with suppress(OSError):  # nobody waits any more
                connection.send(_encoder.encode(outcome))

    loop.watch(listener.fileno(), readable=accept)


def _decoded(data: bytes) -> Control:
    try:
        return _controls.decode(data)
    except UNREADABLE as exc:
        raise Refused(f"it cannot be read: {exc}") from exc


def ask_warden(path: Path, control: Control) -> Outcome:
    """What the warden at that socket answers; blocks.

    Raises:
        Refused: It does not do it.
        OSError: There is none.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(os.fspath(path))
        connection.send(_encoder.encode(control))
        outcome = _outcomes.decode(connection.recv(MAX_BYTES))
    if outcome.refusal:
        raise Refused(outcome.refusal)
    return outcome
