"""SHA-256, by OpenSSL where Python has it.

Its library takes 4 MB of an agent's memory (measured), and most agents never need a digest: so it
is loaded with the first one.
"""

from __future__ import annotations

from io import BufferedReader
from mmap import mmap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _hashlib import HASH


def sha256(data: bytes | memoryview = b"") -> HASH:
    """A digest of so much; more may be added."""
    import hashlib

    return hashlib.sha256(data)


def digests_of(file: BufferedReader, chunk_bytes: int) -> tuple[bytes, ...]:
    """The SHA-256 of each chunk of what is left to read of a file.

    Into the same memory again and again: to have fresh pages for each chunk costs half as much as
    its digest does.

    Raises:
        OSError: It cannot be read.
    """
    chunk = memoryview(mmap(-1, chunk_bytes))  # of which a small file touches a page
    digests = []
    while size := file.readinto(chunk):
        digests.append(sha256(chunk[:size]).digest())
    return tuple(digests)
