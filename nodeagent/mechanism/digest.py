"""SHA-256, by OpenSSL where Python has it.

Its library takes 4 MB of an agent's memory (measured), and most agents never need a digest: so it
is loaded with the first one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _hashlib import HASH


def sha256(data: bytes = b"") -> HASH:
    """A digest of so much; more may be added."""
    import hashlib

    return hashlib.sha256(data)
