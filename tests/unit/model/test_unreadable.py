"""Whatever is wrong with bytes, to decode them raises what is caught."""

from __future__ import annotations

import msgspec
import pytest

from ssi.model.unreadable import UNREADABLE


class Nested(msgspec.Struct):
    """As deep as one likes."""

    inner: Nested | None = None


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"", str), (b"{", Nested), (b"7", str), (b'"\xff"', str), (b'{"inner":' * 100_000, Nested)],
)
def test_bytes_that_hold_no_value_of_the_kind_are_unreadable(data: bytes, kind: type) -> None:
    with pytest.raises(UNREADABLE):
        msgspec.json.decode(data, type=kind)
