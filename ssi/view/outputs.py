"""What a command wrote on many nodes: each line with its node before it, or equal ones as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ssi.model.nodeset import fold
from ssi.view.colour import paint

LONGEST_LINE_BYTES: Final = 64 * 1024
"""A line that is longer is shown in pieces: it must not fill the memory."""

_RULE: Final = "-" * 15


class Lines:
    """Cuts a stream of one node into lines, each with the node's name before it.

    Args:
        prefix: What stands before each line.
    """

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix
        self._rest = b""

    def take(self, data: bytes) -> bytes:
        """The lines that are complete with these bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        shown = b"".join(self._prefix + line + b"\n" for line in lines)
        if len(self._rest) >= LONGEST_LINE_BYTES:
            shown += self.end()
        return shown

    def end(self) -> bytes:
        """The last line, if it was never ended; it is now."""
        rest, self._rest = self._rest, b""
        return self._prefix + rest + b"\n" if rest else b""


def fold_equal(outputs: Mapping[str, bytes]) -> list[tuple[list[str], bytes]]:
    """Nodes that wrote the same, with that; those that wrote nothing are left out."""
    groups: dict[bytes, list[str]] = {}
    for node, data in outputs.items():
        if data:
            groups.setdefault(data, []).append(node)
    return [(nodes, data) for data, nodes in groups.items()]


def folded_text(outputs: Mapping[str, bytes], *, colour: bool) -> bytes:
    """Equal outputs below the nodes that wrote them, as clush -b shows them."""
    shown = []
    for nodes, data in fold_equal(outputs):
        count = f" ({len(nodes)})" if len(nodes) > 1 else ""
        title = paint(f"{_RULE}\n{fold(nodes)}{count}\n{_RULE}", "cyan" if colour else "")
        shown.append(f"{title}\n".encode() + data + (b"" if data.endswith(b"\n") else b"\n"))
    return b"".join(shown)
