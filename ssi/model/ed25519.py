"""Ed25519 signatures, by the libsodium that pyzmq brings along for CURVE.

Python's own library has none, and a further wheel would be larger than the agent. The functions
and their sizes are of libsodium's stable interface.

Source: RFC 8032; libsodium, ``crypto_sign_ed25519``.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

_EXPANDED_BYTES: Final = 64
"""Of a secret as libsodium wants it: with its public key behind it."""

_SYSTEMS_OWN: Final = ("libsodium.so.26", "libsodium.so.23")
"""Where pyzmq was built against the system's, as distributions do."""


def public_key(secret: bytes) -> bytes:
    """The public key of a secret of 32 bytes."""
    return _key_pair(secret)[0]


def sign(secret: bytes, message: bytes) -> bytes:
    """The signature, 64 bytes; the same each time."""
    _public, expanded = _key_pair(secret)
    signature = ctypes.create_string_buffer(SIGNATURE_BYTES)
    _sodium().crypto_sign_detached(signature, None, message, _length(message), expanded)
    return signature.raw


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether whoever holds the secret of ``public`` signed that; never raises."""
    if len(public) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    checked = _sodium().crypto_sign_verify_detached(signature, message, _length(message), public)
    return bool(checked == 0)


def _key_pair(secret: bytes) -> tuple[bytes, bytes]:
    assert len(secret) == KEY_BYTES
    public = ctypes.create_string_buffer(KEY_BYTES)
    expanded = ctypes.create_string_buffer(_EXPANDED_BYTES)
    _sodium().crypto_sign_seed_keypair(public, expanded, secret)
    return public.raw, expanded.raw


def _length(message: bytes) -> ctypes.c_ulonglong:
    return ctypes.c_ulonglong(len(message))


@cache
def _sodium() -> ctypes.CDLL:
    """The library: in a process that speaks CURVE it is in memory already.

    Raises:
        ImportError: This pyzmq has none.
    """
    spec = find_spec("zmq")
    beside = Path(spec.origin).parent.parent / "pyzmq.libs" if spec and spec.origin else Path()
    for name in (*map(str, beside.glob("libsodium*")), *_SYSTEMS_OWN):
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        if library.sodium_init() >= 0:  # 1: it was ready
            return library
    raise ImportError("neither pyzmq nor the system has libsodium")
