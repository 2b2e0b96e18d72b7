"""AES-256-GCM by the OpenSSL that a machine has, on memory that is used again and again.

Source: EVP_EncryptInit(3ssl), NIST SP 800-38D.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Final

KEY_BYTES: Final = 32
TAG_BYTES: Final = 16

_LIBRARIES: Final = ("libcrypto.so.3", "libcrypto.so.1.1")
_GET_TAG: Final = 0x10
_SET_TAG: Final = 0x11


class CipherMissing(Exception):
    """This machine has no OpenSSL that we know."""


class Sealer:
    """One direction of a channel: numbers what it seals or opens, so nothing can be repeated.

    Args:
        key: Of this channel and no other, :data:`KEY_BYTES`.
        direction: Differs between the two directions of a channel.

    Raises:
        CipherMissing: As it says.
    """

    def __init__(self, key: bytes, direction: int) -> None:
        assert len(key) == KEY_BYTES
        self._crypto = _library()
        self._key = key
        self._direction = direction.to_bytes(4, "big")
        self._number = 0
        self._context = self._crypto.EVP_CIPHER_CTX_new()
        self._length = ctypes.c_int()

    def close(self) -> None:
        """Frees what OpenSSL holds; harmless twice."""
        if self._context:
            self._crypto.EVP_CIPHER_CTX_free(self._context)
            self._context = None

    def seal(self, source: int, size: int, target: int) -> None:
        """Encrypts ``size`` bytes at an address to another, with the tag behind them."""
        crypto, context, length = self._crypto, self._context, ctypes.byref(self._length)
        done = crypto.EVP_EncryptInit_ex(*self._start(crypto.EVP_aes_256_gcm()))
        done &= crypto.EVP_EncryptUpdate(context, target, length, source, size)
        done &= crypto.EVP_EncryptFinal_ex(context, target + size, length)
        done &= crypto.EVP_CIPHER_CTX_ctrl(context, _GET_TAG, TAG_BYTES, target + size)
        assert done == 1

    def open(self, source: int, size: int, target: int) -> bool:
        """Decrypts ``size`` bytes, behind which their tag stands; whether they are authentic."""
        crypto, context, length = self._crypto, self._context, ctypes.byref(self._length)
        done = crypto.EVP_DecryptInit_ex(*self._start(crypto.EVP_aes_256_gcm()))
        done &= crypto.EVP_DecryptUpdate(context, target, length, source, size)
        done &= crypto.EVP_CIPHER_CTX_ctrl(context, _SET_TAG, TAG_BYTES, source + size)
        return bool(done == 1 and crypto.EVP_DecryptFinal_ex(context, target + size, length) == 1)

    def _start(self, cipher: int) -> tuple[object, ...]:
        nonce = self._direction + self._number.to_bytes(8, "big")
        self._number += 1
        return self._context, cipher, None, self._key, nonce


def address_of(buffer: bytes | bytearray, offset: int = 0) -> int:
    """Where the memory of a buffer is; it must stay, and not be resized, while that is used."""
    if isinstance(buffer, bytearray):
        return ctypes.addressof(ctypes.c_char.from_buffer(buffer, offset))
    return (ctypes.cast(ctypes.c_char_p(buffer), ctypes.c_void_p).value or 0) + offset


@cache
def _library() -> ctypes.CDLL:
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
            _declare(library)
        except (OSError, AttributeError):
            continue
        return library
    raise CipherMissing


def _declare(library: ctypes.CDLL) -> None:
    """Raises AttributeError where it lacks a function."""
    pointer, number, constant = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    length = ctypes.POINTER(number)
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
        getattr(library, f"EVP_{way}Update").argtypes = [pointer, pointer, length, pointer, number]
        getattr(library, f"EVP_{way}Final_ex").argtypes = [pointer, pointer, length]
