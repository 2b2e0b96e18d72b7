"""SHA-512 by Python's own code: OpenSSL's library would take 4 MB of every agent's memory."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final, Protocol, cast


class _Digest(Protocol):
    def digest(self) -> bytes: ...


def _own() -> Callable[[bytes], _Digest]:
    for module in ("_sha2", "_sha512", "hashlib"):  # from Python 3.12 on, before, and built without
        try:
            return cast("Callable[[bytes], _Digest]", import_module(module).sha512)
        except ImportError:
            continue
    raise ImportError("this Python has no SHA-512")


_sha512: Final = _own()


def sha512(data: bytes) -> bytes:
    """The digest, 64 bytes."""
    return _sha512(data).digest()
