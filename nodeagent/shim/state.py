"""What another shim needs of a job beside CRIU's images: small facts, and files beside the images.

The facts are the opaque ``state`` of :class:`~nodeagent.shim.messages.Dumped`; what the streams
hold may be several MiB, so it lies in the image directory and travels with the images.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from nodeagent.shim.messages import Account
from ssi.model.job import StreamName, Terminal
from ssi.model.shim import RestoreFailed
from ssi.model.unreadable import UNREADABLE

STATE_VERSION: Final = 2


class SavedStream(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One stream of a dumped job.

    Attributes:
        inode: Of its pipe as the images have it; 0 where the job has closed it.
        capacity_bytes: Of that pipe.
        start: Number of the first byte that is held; the bytes are in :func:`stream_file`.
        ended: Input: the client has sent all. Output: the job has closed it.
        note: Why a log took no more.
        writers: Of the input: each writer's id and the number of its next byte.
        refused: Nobody reads the output, though the job may still hold its end.
    """

    name: StreamName
    inode: int
    capacity_bytes: int
    start: int
    ended: bool
    note: bytes = b""
    writers: tuple[tuple[bytes, int], ...] = ()
    refused: bool = False


class SavedTerminal(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What CRIU does not keep of the terminal of a dumped job.

    Attributes:
        foreground: The process group that the keyboard talks to; 0 for none.
        taken: What was typed and not read, as the line discipline held it; a 0 is an end of file
            where the terminal reads by lines.
        held: ``^S`` was pressed.
    """

    size: Terminal
    foreground: int
    taken: bytes
    held: bool


class SavedJob(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A dumped job.

    Attributes:
        root: Its first process, as the job sees it.
        last_pid: The pid that was given last there.
        logs: Directory of its logs; empty for a foreground job.
        frozen: The cgroup freezer held it, and is to hold it before it runs again.
    """

    version: int
    root: int
    last_pid: int
    account: Account
    streams: tuple[SavedStream, ...]
    terminal: SavedTerminal | None
    logs: str
    log_limit_bytes: int
    lease_s: float
    note: bytes
    frozen: bool = False

    def in_logs(self, logs: str) -> SavedJob:
        """The same job with its logs in another directory; a foreground job has none."""
        return msgspec.structs.replace(self, logs=logs) if self.logs else self


def stream_file(images: Path, name: StreamName) -> Path:
    """Where the bytes of a stream lie beside the images."""
    return images / f"ssi-{name}"


def save_bytes(images: Path, name: StreamName, data: bytes) -> None:
    """Puts the bytes of a stream beside the images, for root alone to read.

    Raises:
        OSError: No room.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with os.fdopen(os.open(stream_file(images, name), flags, 0o600), "wb") as file:
        file.write(data)


_decoder: Final = msgspec.msgpack.Decoder(SavedJob)
"""Made before a shim is forked: the first of its kind takes half a millisecond of the freeze."""


def encode_state(job: SavedJob) -> bytes:
    """The state as it travels."""
    return msgspec.msgpack.encode(job)


def decode_state(data: bytes) -> SavedJob:
    """The state that another shim wrote.

    Raises:
        RestoreFailed: It is of another version, or broken.
    """
    try:
        job = _decoder.decode(data)
    except UNREADABLE as exc:
        raise RestoreFailed(reason=f"its state cannot be read: {exc}") from exc
    if job.version != STATE_VERSION:
        raise RestoreFailed(
            reason=f"its state has version {job.version}, this node knows {STATE_VERSION}"
        )
    return job
