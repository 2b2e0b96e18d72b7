"""Signatures against the vectors of RFC 8032, section 7.1, and against OpenSSL's."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from ssi.model.ed25519 import public_key, sign, verify

VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701c"
        "f9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0"
        "f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS)
def test_signature_is_that_of_the_standard(
    secret: str, public: str, message: str, signature: str
) -> None:
    assert public_key(bytes.fromhex(secret)).hex() == public
    assert sign(bytes.fromhex(secret), bytes.fromhex(message)).hex() == signature
    assert verify(bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature))


@settings(max_examples=20)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300))
def test_signature_is_that_of_openssl(secret: bytes, message: bytes) -> None:
    other = Ed25519PrivateKey.from_private_bytes(secret)
    assert public_key(secret) == other.public_key().public_bytes_raw()
    assert sign(secret, message) == other.sign(message)


@settings(max_examples=40)
@given(st.integers(0, 63), st.integers(0, 7))
def test_signature_with_one_bit_changed_is_none(byte: int, bit: int) -> None:
    secret, message = b"s" * 32, b"n3 is a node"
    signature = bytearray(sign(secret, message))
    assert verify(public_key(secret), message, bytes(signature))
    signature[byte] ^= 1 << bit
    assert not verify(public_key(secret), message, bytes(signature))


def test_signature_of_another_key_or_text_or_of_no_length_is_none() -> None:
    signature = sign(b"s" * 32, b"n3 is a node")
    assert not verify(public_key(b"t" * 32), b"n3 is a node", signature)
    assert not verify(public_key(b"s" * 32), b"n4 is a node", signature)
    assert not verify(b"", b"n3 is a node", signature)
    assert not verify(b"\xff" * 32, b"n3 is a node", signature)
    assert not verify(public_key(b"s" * 32), b"n3 is a node", b"")


def test_response_beyond_the_order_is_refused() -> None:
    """Else whoever saw a signature could make a second one of the same text."""
    order = 2**252 + 27742317777372353535851937790883648493
    signature = sign(b"s" * 32, b"x")
    response = int.from_bytes(signature[32:], "little") + order
    assert not verify(public_key(b"s" * 32), b"x", signature[:32] + response.to_bytes(32, "little"))
