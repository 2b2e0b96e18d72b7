"""A cgroup v2 subtree: the one handle that reaches every process of a host, and only those.

No process can leave it, so it finds a host's processes after any crash, kills them in one step and
freezes them in one step. Inside the host a cgroup namespace makes it look like the root.

Source: cgroups(7), cgroup_namespaces(7), Documentation/admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ssi.lab.errors import LabStepError

WAIT_TIMEOUT_S = 10.0
"""For the kernel to kill, freeze or let go; it needs milliseconds unless a disk hangs."""

_POLL_S = 0.005


@dataclass(frozen=True, slots=True)
class Cgroup:
    """One directory of the v2 hierarchy, with all that is below it; it need not exist."""

    path: Path

    def child(self, name: str) -> Cgroup:
        """The cgroup of that name within this one."""
        return Cgroup(self.path / name)

    def children(self) -> list[str]:
        """The names of the cgroups within this one; none where it does not exist."""
        return sorted(path.name for path in self.path.glob("*") if path.is_dir())

    def create(self) -> None:
        """The directory exists, with its parents."""
        self.path.mkdir(parents=True, exist_ok=True)

    def pids(self) -> Iterator[int]:
        """The processes of the subtree, as this machine numbers them."""
        for listing in self.path.rglob("cgroup.procs"):
            yield from (int(line) for line in self._read(listing).split())

    @property
    def populated(self) -> bool:
        """Whether any process lives in the subtree."""
        return "populated 1" in self._read(self.path / "cgroup.events")

    @property
    def frozen(self) -> bool:
        """Whether every process of the subtree stands still."""
        return "frozen 1" in self._read(self.path / "cgroup.events")

    def freeze(self, *, frozen: bool) -> None:
        """Every process of the subtree stands still, or runs on.

        Raises:
            LabStepError: The kernel did not manage within ten seconds.
        """
        (self.path / "cgroup.freeze").write_text("1" if frozen else "0")
        self._wait("freezing" if frozen else "thawing", lambda: self.frozen == frozen)

    def kill(self) -> None:
        """No process is left in the subtree; SIGKILL, all at once, frozen or not.

        Raises:
            LabStepError: Some did not die within ten seconds.
        """
        if self.path.exists():
            (self.path / "cgroup.kill").write_text("1")
            self._wait("killing", lambda: not self.populated)

    def remove(self) -> None:
        """Neither the processes nor the directories of the subtree exist.

        A process that was on its way into the cgroup when we killed the others is caught in the
        next round.

        Raises:
            LabStepError: Something was left after ten seconds.
        """
        self._wait("removing", self._removed)

    def _removed(self) -> bool:
        self.kill()
        folders = [path for path in self.path.rglob("*") if path.is_dir()]
        try:
            for folder in sorted(folders, reverse=True):
                folder.rmdir()
            if self.path.exists():
                self.path.rmdir()
        except OSError:  # busy: a process came in, or a dead one is not yet taken apart
            return False
        return True

    def _wait(self, step: str, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_TIMEOUT_S
        while not holds():
            if time.monotonic() > deadline:
                left = ", ".join(str(pid) for pid in sorted(self.pids())[:5])
                raise LabStepError(step=f"{step} {self.path}", reason=f"processes {left} resist")
            time.sleep(_POLL_S)

    @staticmethod
    def _read(path: Path) -> str:
        try:
            return path.read_text()
        except OSError:  # gone, or going: ENODEV while it is taken apart
            return ""


def hierarchy() -> Path | None:
    """Where this machine mounts cgroup v2; None where it does not."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        if rest.split(" ", 1)[0] == "cgroup2":
            return Path(fields.split(" ")[4])
    return None
