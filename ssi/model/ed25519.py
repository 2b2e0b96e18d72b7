"""Ed25519 signatures, in plain Python: what nodes have (pyzmq, msgspec) offers none.

A roster changes a few times a day, so 3 ms to sign or to verify are nothing. Times depend on
the secret: sign only what nobody outside can have signed at will.

Source: RFC 8032, sections 5.1 and 6.
"""

from __future__ import annotations

from typing import Final

from ssi.model.sha512 import sha512

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

_P: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_1: Final = pow(2, (_P - 1) // 4, _P)

_Point = tuple[int, int, int, int]
"""X, Y, Z, T with x = X/Z, y = Y/Z, x*y = T/Z."""

_NEUTRAL: Final[_Point] = (0, 1, 1, 0)


def public_key(secret: bytes) -> bytes:
    """The public key of a secret of 32 bytes."""
    scalar, _prefix = _expand(secret)
    return _compress(_times(scalar, _BASE))


def sign(secret: bytes, message: bytes) -> bytes:
    """The signature, 64 bytes; the same each time."""
    scalar, prefix = _expand(secret)
    public = _compress(_times(scalar, _BASE))
    nonce = _hash_number(prefix, message)
    commitment = _compress(_times(nonce, _BASE))
    challenge = _hash_number(commitment, public, message)
    return commitment + ((nonce + challenge * scalar) % _ORDER).to_bytes(32, "little")


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether whoever holds the secret of ``public`` signed that; never raises."""
    if len(public) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    commitment_bytes, response = signature[:32], int.from_bytes(signature[32:], "little")
    key, commitment = _decompress(public), _decompress(commitment_bytes)
    if key is None or commitment is None or response >= _ORDER:
        return False
    challenge = _hash_number(commitment_bytes, public, message)
    return _equal(_times(response, _BASE), _add(commitment, _times(challenge, key)))


def _expand(secret: bytes) -> tuple[int, bytes]:
    assert len(secret) == KEY_BYTES
    digest = sha512(secret)
    scalar = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | (1 << 254)
    return scalar, digest[32:]


def _hash_number(*parts: bytes) -> int:
    return int.from_bytes(sha512(b"".join(parts)), "little") % _ORDER


def _add(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(factor: int, point: _Point) -> _Point:
    product = _NEUTRAL
    while factor > 0:
        if factor & 1:
            product = _add(product, point)
        point = _add(point, point)
        factor >>= 1
    return product


def _equal(one: _Point, other: _Point) -> bool:
    same_x = (one[0] * other[2] - other[0] * one[2]) % _P == 0
    return same_x and (one[1] * other[2] - other[1] * one[2]) % _P == 0


def _x_of(y: int, *, odd: bool) -> int | None:
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    if square == 0:
        return None if odd else 0
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_1 % _P
    if (x * x - square) % _P:
        return None
    return _P - x if (x & 1) != odd else x


def _compress(point: _Point) -> bytes:
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decompress(encoded: bytes) -> _Point | None:
    number = int.from_bytes(encoded, "little")
    y = number & ((1 << 255) - 1)
    x = _x_of(y, odd=bool(number >> 255))
    return None if x is None else (x, y, 1, x * y % _P)


def _base() -> _Point:
    y = 4 * pow(5, -1, _P) % _P
    x = _x_of(y, odd=False)
    assert x is not None
    return x, y, 1, x * y % _P


_BASE: Final = _base()
