"""What crosses the socket between ``bin/ssi`` and a warm process.

The stub sends four bytes of length, big-endian, and a body: the number of words, the words, and
``NAME=value`` for each variable, with a zero byte between any two. It is answered ``A``, or by the
end of the connection. It says ``G``, and with that byte come five descriptors: stdin, stdout,
stderr, its working directory, and the reading end of a pipe. Only then the command runs. (Sent
earlier, they would keep a pipe open in a warm process that hangs.)

From then on each byte in the pipe is a signal for the command, and each two bytes from here are
what became of it: ``T`` and the signal that stopped it, ``X`` and its exit status, or ``K`` and the
signal that killed it. The command itself says ``X`` when all that is left of it is its memory; all
else comes from the warm process, which looks after it to the last.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

LENGTH_BYTES: Final = 4
DESCRIPTORS: Final = 5
MAX_BODY_BYTES: Final = 8 * 1024 * 1024
"""More than any kernel lets a program be started with."""

ACCEPTED: Final = b"A"
GO: Final = b"G"


class BadRequest(ValueError):
    """What came is no request. It never reaches a person: the stub takes the other way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A command as the stub was started with it.

    Attributes:
        words: ``sys.argv``.
        environment: Names and values as the kernel has them.
    """

    words: tuple[str, ...]
    environment: dict[bytes, bytes]


def body_length(buffered: bytes | bytearray) -> int | None:
    """How long the body is that these bytes announce; None while they are too few.

    Raises:
        BadRequest: No body is that long.
    """
    if len(buffered) < LENGTH_BYTES:
        return None
    length = int.from_bytes(buffered[:LENGTH_BYTES], "big")
    if length > MAX_BODY_BYTES:
        raise BadRequest(f"a body of {length} bytes")
    return length


def parse_body(body: bytes) -> Request:
    """The command in a body.

    Raises:
        BadRequest: It is none.
    """
    number, *rest = body.split(b"\0")
    if not number.isdigit() or not 1 <= int(number) <= len(rest):
        raise BadRequest("the number of words is wrong")
    environment = {}
    for setting in rest[int(number) :]:
        name, separator, value = setting.partition(b"=")
        if not separator or not name:
            raise BadRequest("a variable has no name")
        environment[name] = value
    return Request(
        words=tuple(os.fsdecode(word) for word in rest[: int(number)]), environment=environment
    )


def stopped(number: int) -> bytes:
    """Tells that a signal stopped the command."""
    return b"T" + bytes([number])


def ended(wait_status: int) -> bytes:
    """Tells how the command ended, from its status of wait(2)."""
    if os.WIFSIGNALED(wait_status):
        return b"K" + bytes([os.WTERMSIG(wait_status)])
    return exited(os.WEXITSTATUS(wait_status))


def exited(status: int) -> bytes:
    """Tells that the command ended by itself; of the status the kernel keeps the lowest byte."""
    return b"X" + bytes([status & 0xFF])
