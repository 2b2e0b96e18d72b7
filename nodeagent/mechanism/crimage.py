"""CRIU's image files as values: two magic words, then entries of protobuf, each with its length.

Just enough of protobuf to change a number in an entry and leave everything else as it was, also
fields of newer versions. Source: CRIU 4.2 ``images/*.proto``, the protobuf encoding guide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_HEAD_BYTES: Final = 8
_LENGTH_BYTES: Final = 4
_VARINT: Final = 0
_BYTES: Final = 2
_FIXED_BYTES: Final = {1: 8, 5: 4}
_LONGEST_VARINT_BYTES: Final = 10


class BadImage(ValueError):
    """Bytes that are no image as we know them."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an entry: a number, or bytes that may be an entry again."""

    number: int
    kind: int
    value: int | bytes

    def with_value(self, value: int | bytes) -> Field:
        """The same field with another value."""
        return Field(self.number, self.kind, value)


def split_image(data: bytes) -> tuple[bytes, list[bytes]]:
    """The magic words of an image file, and its entries.

    Raises:
        BadImage: It ends within an entry.
    """
    head, at, entries = data[:_HEAD_BYTES], _HEAD_BYTES, []
    while at < len(data):
        length = int.from_bytes(data[at : at + _LENGTH_BYTES], "little")
        at += _LENGTH_BYTES
        if at + length > len(data):
            raise BadImage("an entry is cut off")
        entries.append(data[at : at + length])
        at += length
    return head, entries


def join_image(head: bytes, entries: Iterable[bytes]) -> bytes:
    """The image file of these entries."""
    parts = [head]
    for entry in entries:
        parts += (len(entry).to_bytes(_LENGTH_BYTES, "little"), entry)
    return b"".join(parts)


def decode_fields(entry: bytes) -> list[Field]:
    """The fields of an entry, in order.

    Raises:
        BadImage: It is no protobuf.
    """
    return list(_fields(entry))


def encode_fields(fields: Iterable[Field]) -> bytes:
    """The entry of these fields."""
    parts = []
    for field in fields:
        parts.append(_encode_varint(field.number << 3 | field.kind))
        if isinstance(field.value, int):
            parts.append(_encode_varint(field.value))
        elif field.kind == _BYTES:
            parts += (_encode_varint(len(field.value)), field.value)
        else:
            parts.append(field.value)
    return b"".join(parts)


def number_of(fields: Iterable[Field], number: int) -> int:
    """The value of a numeric field.

    Raises:
        BadImage: There is none.
    """
    for field in fields:
        if field.number == number and isinstance(field.value, int):
            return field.value
    raise BadImage(f"an entry has no field {number}")


def _fields(entry: bytes) -> Iterator[Field]:
    at = 0
    while at < len(entry):
        tag, at = _decode_varint(entry, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _decode_varint(entry, at)
            yield Field(number, kind, value)
            continue
        if kind == _BYTES:
            length, at = _decode_varint(entry, at)
        elif kind in _FIXED_BYTES:
            length = _FIXED_BYTES[kind]
        else:
            raise BadImage(f"a field has wire type {kind}")
        if at + length > len(entry):
            raise BadImage("a field is cut off")
        yield Field(number, kind, entry[at : at + length])
        at += length


def _decode_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(_LONGEST_VARINT_BYTES):
        if at + index >= len(data):
            break
        byte = data[at + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at + index + 1
    raise BadImage("a number is cut off")


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
