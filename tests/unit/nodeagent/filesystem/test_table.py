"""What is agreed on with the kernel."""

from __future__ import annotations

import struct
from typing import cast

from nodeagent.filesystem.fuse.abi import READ_AHEAD_BYTES, Init, Opcode
from nodeagent.filesystem.fuse.requests import Header, Initialise
from nodeagent.filesystem.mount.mount import Mount
from nodeagent.filesystem.mount.table import initialise


class Kernel:
    """Takes an answer."""

    def __init__(self) -> None:
        self.told: tuple[int, ...] = ()

    def reply(self, _header: Header, part: bytes) -> None:
        self.told = struct.unpack_from("=IIII", part)


def test_read_ahead_that_the_warden_has_set_is_not_taken_back() -> None:
    kernel, flags = Kernel(), Init.ASYNC_READ | Init.MAX_PAGES
    header = Header(Opcode.INIT, 1, 0, 0, 0, 0)
    initialise(cast("Mount", kernel), header, Initialise(7, 45, 128 * 1024, flags))
    assert kernel.told == (7, 40, READ_AHEAD_BYTES, flags)
