"""Of which kind the file system is that a path lies on, and whether mounts have changed.

Source: proc_pid_mountinfo(5).
"""

from __future__ import annotations

import os
import re
import select
from pathlib import Path
from typing import Final

PSEUDO: Final = frozenset({"proc", "sysfs", "cgroup", "cgroup2", "devpts", "debugfs", "tracefs"})
"""File systems whose files are made by the kernel and never carried."""

_SHARED: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "lustre", "gpfs", "afs"})

_ESCAPE: Final = re.compile(r"\\([0-7]{3})")


class Mounts:
    """The mounts of one mount namespace, as they were when this was made.

    Args:
        text: Of a ``mountinfo`` file.
    """

    def __init__(self, text: str) -> None:
        kinds: dict[str, str] = {}
        devices: dict[int, str] = {}
        for line in text.splitlines():
            left, _separator, right = line.partition(" - ")
            fields = left.split()
            if len(fields) >= 5 and right:
                kinds[_unescape(fields[4])] = right.split()[0]
                major, _colon, minor = fields[2].partition(":")
                devices[os.makedev(int(major), int(minor))] = right.split()[0]
        self._kinds = kinds
        self._devices = devices

    @classmethod
    def of_process(cls, pid: int) -> Mounts:
        """Those that a process sees.

        Raises:
            OSError: It is gone, or may not be looked at.
        """
        return cls(Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8", errors="replace"))

    def kind_of(self, path: str) -> str:
        """The type of the file system of an absolute path, by the longest mount point above it."""
        while True:
            if path in self._kinds:
                return self._kinds[path]
            if path in {"/", ""}:
                return ""
            path = path.rpartition("/")[0] or "/"

    def kind_of_device(self, device: int) -> str:
        """The type of the file system with that device number; empty for none that is mounted."""
        return self._devices.get(device, "")

    def is_shared(self, path: str) -> bool:
        """Whether the same files are likely to be at the same path on other nodes."""
        kind = self.kind_of(path)
        return kind in _SHARED or kind.startswith("fuse.")


class MountWatch:
    """Notices changes of the mounts that this process sees."""

    def __init__(self) -> None:
        self._file = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLPRI)

    def has_changed(self) -> bool:
        """Whether there was a change since this was last asked; at first, since it was made."""
        return bool(self._poll.poll(0))


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match.group(1), 8)), text)
