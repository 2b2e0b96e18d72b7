"""AES-256-GCM by the OpenSSL that a machine has, on memory that is used again and again.

Source: EVP_EncryptInit(3ssl), NIST SP 800-38D.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final, TypeAlias

KEY_BYTES: Final = 32
TAG_BYTES: Final = 16

_LIBRARIES: Final = ("libcrypto.so.3", "libcrypto.so.1.1")
_GET_TAG: Final = 0x10
_SET_TAG: Final = 0x11

Memory: TypeAlias = int | bytes
"""An address, or bytes that are only read."""


class CipherMissing(Exception):
    """This machine has no OpenSSL that we know."""


class Sealer:
    """One direction of a channel: numbers what it seals or opens, so nothing can be repeated.

    One sealer only seals, or only opens.

    Args:
        key: Of this channel and no other, :data:`KEY_BYTES`.
        direction: Differs between the two directions of a channel.

    Raises:
        CipherMissing: As it says.
    """

    def __init__(self, key: bytes, direction: int) -> None:
        assert len(key) == KEY_BYTES
        self._crypto = _library()
        self._key: bytes | None = key
        self._direction = direction.to_bytes(4, "big")
        self._number = 0
        self._context = self._crypto.EVP_CIPHER_CTX_new()
        self._length = ctypes.byref(ctypes.c_int())

    def close(self) -> None:
        """Frees what OpenSSL holds; harmless twice."""
        if self._context:
            self._crypto.EVP_CIPHER_CTX_free(self._context)
            self._context = None

    def seal(self, source: Memory, size: int, target: int) -> None:
        """Encrypts ``size`` bytes at an address to another, with the tag behind them."""
        self.seal_both(source, size, b"", 0, target)

    def seal_both(
        self, first: Memory, first_bytes: int, second: Memory, second_bytes: int, target: int
    ) -> None:
        """Encrypts what is at two addresses as if the second followed the first."""
        crypto, context, length = self._crypto, self._context, self._length
        self._start(crypto.EVP_EncryptInit_ex)
        done = crypto.EVP_EncryptUpdate(context, target, length, first, first_bytes)
        end = target + first_bytes
        if second_bytes:
            done &= crypto.EVP_EncryptUpdate(context, end, length, second, second_bytes)
            end += second_bytes
        done &= crypto.EVP_EncryptFinal_ex(context, end, length)
        done &= crypto.EVP_CIPHER_CTX_ctrl(context, _GET_TAG, TAG_BYTES, end)
        assert done == 1

    def open(self, source: int, size: int, target: int) -> bool:
        """Decrypts ``size`` bytes, behind which their tag stands; whether they are authentic.

        ``target`` may be ``source``.
        """
        crypto, context, length = self._crypto, self._context, self._length
        self._start(crypto.EVP_DecryptInit_ex)
        done = crypto.EVP_DecryptUpdate(context, target, length, source, size)
        done &= crypto.EVP_CIPHER_CTX_ctrl(context, _SET_TAG, TAG_BYTES, source + size)
        return bool(done == 1 and crypto.EVP_DecryptFinal_ex(context, target + size, length) == 1)

    # Any: functions of OpenSSL have no types.
    def _start(self, initialise: Callable[..., Any]) -> None:
        """The next number is used up, whatever becomes of it."""
        nonce = self._direction + self._number.to_bytes(8, "big")
        self._number += 1
        # To take in a key costs more than to seal a small frame: only the first time.
        cipher = None if self._key is None else self._crypto.EVP_aes_256_gcm()
        done = initialise(self._context, cipher, None, self._key, nonce)
        assert done == 1
        self._key = None


def address_of(buffer: bytes | bytearray | memoryview, offset: int = 0) -> int:
    """Where the memory of a buffer is; it must stay, and not be resized, while that is used.

    A view must be one that can be written to.
    """
    if isinstance(buffer, bytes):
        return (ctypes.cast(ctypes.c_char_p(buffer), ctypes.c_void_p).value or 0) + offset
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer, offset))


def is_supported() -> bool:
    """Whether this machine can seal."""
    try:
        _library()
    except CipherMissing:
        return False
    return True


@cache
def _library() -> ctypes.CDLL:
    for library in _candidates():
        try:
            _declare(library)
        except AttributeError:
            continue
        return library
    raise CipherMissing


def _candidates() -> Iterator[ctypes.CDLL]:
    for name in _LIBRARIES:
        try:
            yield ctypes.CDLL(name)
        except OSError:
            continue
    # Elsewhere it may be known only to the module of Python that needs it, or be a part of it.
    try:
        import _hashlib

        yield ctypes.CDLL(_hashlib.__file__)
    except (ImportError, AttributeError, OSError):
        return


def _declare(library: ctypes.CDLL) -> None:
    """Raises AttributeError where it lacks a function."""
    pointer, number, constant = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    library.EVP_CIPHER_CTX_new.restype = pointer
    library.EVP_aes_256_gcm.restype = pointer
    library.EVP_CIPHER_CTX_free.argtypes = [pointer]
    library.EVP_CIPHER_CTX_free.restype = None
    library.EVP_CIPHER_CTX_ctrl.argtypes = [pointer, number, number, pointer]
    for way in ("Encrypt", "Decrypt"):
        getattr(library, f"EVP_{way}Init_ex").argtypes = [
            *(pointer, pointer, pointer),
            *(constant, constant),
        ]
        getattr(library, f"EVP_{way}Update").argtypes = [pointer, pointer, pointer, pointer, number]
        getattr(library, f"EVP_{way}Final_ex").argtypes = [pointer, pointer, pointer]
