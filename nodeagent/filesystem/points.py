"""Where mounts are: the directory of all nodes, and what it takes to leave nothing behind.

As root that directory is a file system in memory of its own, so a mount point needs no directory
on disk. This node's own entry is a view of its own root. Another such directory, which only root
can enter, is for the files of machines that are no nodes.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from nodeagent.filesystem.fuse import mounting
from nodeagent.filesystem.fuse.abi import READ_AHEAD_BYTES
from nodeagent.mechanism import libc

_MS_BIND: Final = 0x1000
_MS_SHARED: Final = 0x100000


class Points:
    """See the module.

    Args:
        base: The directory, ``/ssi/n``.
        mode: Of it.
        reads_ahead: More than the kernel does by itself, which is right for quick links.
    """

    def __init__(self, base: Path, mode: int = 0o755, *, reads_ahead: bool = True) -> None:
        self._base = base
        self._mode = mode
        self._reads_ahead = reads_ahead
        self._is_root = os.geteuid() == 0
        self.is_prepared = False
        self.problem = "" if Path("/dev/fuse").exists() else "there is no /dev/fuse"

    def adopt(self) -> None:
        """Goes on with a directory that was made before this program."""
        within = mounting.mounts_within(str(self._base), mounting.read_mountinfo())
        is_mounted = any(point == str(self._base) for point, _ in within)
        self.is_prepared = is_mounted if self._is_root else self._base.exists()

    def point_of(self, node: str) -> str:
        """The mount point of a node, a directory that is there."""
        point = self._base / node
        point.mkdir(mode=0o755, exist_ok=True)
        return str(point)

    def prepare(self, node: str = "") -> None:
        """Makes the directory, with this node's own entry in it where it is named; once.

        Raises:
            OSError: Not permitted.
        """
        if self.is_prepared:
            return
        self._base.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._base.chmod(self._mode)
        if self._base.parent.name == "ssi":
            self._base.parent.chmod(0o755)
        if self._is_root:
            base = str(self._base)
            options = f"mode={self._mode:o},size=1m"
            libc.mount("ssi", base, "tmpfs", libc.MS_NOSUID | libc.MS_NODEV, options)
            if node:
                self._show_own_root(node)
            libc.mount("none", base, "none", _MS_SHARED)
        self.is_prepared = True

    def _show_own_root(self, node: str) -> None:
        own = self.point_of(node)
        libc.mount("/", own, "none", _MS_BIND | libc.MS_REC)
        # What is mounted on the host later appears there too, and nothing the other way.
        libc.mount("none", own, "none", libc.MS_REC | libc.MS_SLAVE)
        with suppress(OSError):  # else it would hold itself
            mounting.unmount(f"{own}{self._base}")

    def mount(self, point: str, source: str) -> int:
        """Mounts; the descriptor of /dev/fuse.

        Raises:
            OSError: Refused.
        """
        if self._is_root:
            descriptor = mounting.mount_as_root(point, source)
            if self._reads_ahead:
                mounting.read_ahead(point, READ_AHEAD_BYTES // 1024)
            return descriptor
        return mounting.mount_as_user(point, source)

    def unmount(self, point: str) -> None:
        """Unmounts, and removes the directory where it is one of ours.

        Raises:
            OSError: It is not mounted.
        """
        mounting.unmount(point)
        if Path(point).parent == self._base:
            with suppress(OSError):
                Path(point).rmdir()

    def clear(self) -> None:
        """Unmounts all that is at or below the directory, and removes it where it is empty."""
        for point, _ in mounting.mounts_within(str(self._base), mounting.read_mountinfo()):
            with suppress(OSError):  # with the one above it, it went already
                mounting.unmount(point)
        self.is_prepared = False
        with suppress(OSError):
            self._base.rmdir()
            if self._base.parent.name == "ssi":
                self._base.parent.rmdir()
