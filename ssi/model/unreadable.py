"""What msgspec raises of bytes that hold no value of the wanted kind."""

from __future__ import annotations

from typing import Final

import msgspec

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError)
"""Text that is no UTF-8 raises UnicodeDecodeError, which is no DecodeError (measured)."""
