"""Files whose paths led elsewhere as they were to be opened: the next look opens what it finds.

The kernel knows a file by its path for as long as it may believe that. Where another node has
removed it meanwhile, or put another in its place, an open is refused with ``ESTALE``, upon which
Linux looks the path up anew and opens what is there, or makes it, but tries so only once
(``do_filp_open``). Where files are replaced over and over, the second try would find a third file.
So the look that comes between opens the file at the server as well, and the open that follows takes
that.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from nodeagent.filesystem.mount.nodes import Node
from ssi.protocol.filereplies import Opened
from ssi.protocol.filerequests import Release

LED_ELSEWHERE: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EISDIR}
)
"""Of an open: where the kernel knows a file there is none any more, or something else."""

COMES_WITHIN_S: Final = 1.0
"""The look after an open that was refused, or whoever wanted it was killed."""

KEPT_S: Final = 0.1
"""What was found: whoever opens it later is to see how it is by then."""

AT_ONCE: Final = 1000

User: TypeAlias = tuple[str, str]
_Place: TypeAlias = tuple[Node, bytes]


@dataclass(eq=False, slots=True)
class SecondLook:
    """One that is to come, or what it has found.

    Attributes:
        flags: Of open(2).
        user: Who opens, with the group.
        until_s: By :func:`time.monotonic`.
        opened: What is there now; None as long as that is not known.
        payload: The content that came with it.
        node: What the kernel knows it as.
    """

    flags: int
    user: User
    until_s: float
    opened: Opened | None = None
    payload: bytes = b""
    node: Node | None = None


class SecondLooks:
    """All of a mount, by directory and name.

    Args:
        tell: Asks for something whose outcome nobody waits for.
    """

    def __init__(self, tell: Callable[[Release], None]) -> None:
        self._tell = tell
        self._looks: dict[_Place, SecondLook] = {}

    def __bool__(self) -> bool:
        return bool(self._looks)

    def expect(self, node: Node, flags: int, user: User) -> None:
        """An open is refused, as the path of the file leads elsewhere."""
        if node.parent is None or len(self._looks) >= AT_ONCE:
            return
        place = node.parent, node.name
        self._drop(place)
        self._looks[place] = SecondLook(flags, user, time.monotonic() + COMES_WITHIN_S)

    def of(self, folder: Node, name: bytes, user: User) -> SecondLook | None:
        """The one that a lookup is."""
        look = self._looks.get((folder, name))
        is_it = look is not None and look.user == user and time.monotonic() < look.until_s
        return look if is_it else None

    def begin(self, folder: Node, name: bytes) -> None:
        """The server is asked to open what is there; others that look meanwhile do as always."""
        self._looks.pop((folder, name), None)

    def found(self, folder: Node, name: bytes, look: SecondLook) -> None:
        """It was opened, and is kept for whoever wanted that."""
        place = folder, name
        self._drop(place)
        look.until_s = time.monotonic() + KEPT_S
        self._looks[place] = look

    def take(self, node: Node, flags: int, user: User) -> SecondLook | None:
        """What an open is answered with, where the same file was opened for it just now."""
        if not self._looks or node.parent is None:
            return None
        look = self.of(node.parent, node.name, user)
        if look is None or look.node is not node or look.flags != flags:
            return None
        del self._looks[node.parent, node.name]
        return look

    def tick(self) -> None:
        """Gives back what nobody came for."""
        now_s = time.monotonic()
        for place in [place for place, look in self._looks.items() if look.until_s < now_s]:
            self._drop(place)

    def forget(self) -> None:
        """The server has forgotten what was open."""
        self._looks.clear()

    def _drop(self, place: _Place) -> None:
        look = self._looks.pop(place, None)
        if look is not None and look.opened is not None:
            self._tell(Release(look.opened.handle))
