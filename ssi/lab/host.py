"""One throwaway host: what can be done to it from outside, and what can be run in it."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ssi.lab import network, state
from ssi.lab.blueprint import Blueprint
from ssi.lab.cgroup import Cgroup
from ssi.lab.command import CLEAN_ENVIRONMENT
from ssi.lab.errors import LabHostDownError
from ssi.lab.process import init_of, is_booting


class Condition(StrEnum):
    """How a host is, as seen from the machine."""

    RUNNING = "running"
    PAUSED = "paused"
    CUT = "cut"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host of a running lab. It holds nothing open; the kernel is asked each time."""

    name: str
    blueprint: Blueprint = field(repr=False)
    cgroup: Cgroup = field(repr=False)
    boot_again: Callable[[str], None] = field(repr=False, compare=False)

    @property
    def lab(self) -> str:
        """The name of its lab."""
        return self.blueprint.name

    @property
    def address(self) -> str:
        """Its IPv4 address, reachable from this machine and from the other hosts."""
        return str(self.blueprint.address(self.name))

    @property
    def alive(self) -> bool:
        """Whether its init lives; a paused host and one that is cut off are alive."""
        return init_of(self.cgroup) is not None

    @property
    def pid(self) -> int:
        """Its init's pid on this machine.

        Raises:
            LabHostDownError: It has none.
        """
        pid = init_of(self.cgroup)
        if pid is None:
            raise LabHostDownError(lab=self.lab, host=self.name)
        return pid

    @property
    def whole(self) -> bool:
        """Whether it booted to the end and has its cable; else only a new boot helps it."""
        pid = init_of(self.cgroup)
        plugged = self._port in network.links_of(self.blueprint.bridge)
        return pid is not None and plugged and not is_booting(pid)

    @property
    def root(self) -> Path:
        """Its files as seen from this machine, also while it is paused or cut off."""
        return Path(f"/proc/{self.pid}/root")

    @property
    def condition(self) -> Condition:
        """How it is: the one thing of most weight, where several hold."""
        if not self.alive:
            return Condition.DOWN
        if self.cgroup.frozen:
            return Condition.PAUSED
        if not network.links_of(self.blueprint.bridge).get(self._port, False):
            return Condition.CUT
        return Condition.RUNNING

    def ssh_command(self, *argv: str, user: str = "root") -> list[str]:
        """The ssh command line that runs ``argv`` there, or logs in where it is empty."""
        config = state.folder_of(self.lab) / "ssh_config"
        remote = ["--", shlex.join(argv)] if argv else []
        return ["ssh", "-F", str(config), "-l", user, self.name, *remote]

    def run(
        self,
        *argv: str,
        user: str = "root",
        input: bytes | None = None,  # noqa: A002 - the name that subprocess.run gave it
        timeout_s: float = 30.0,
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs a program there over its real sshd, each argument one word, and waits for its end.

        Raises:
            subprocess.TimeoutExpired: It took longer.
        """
        command = self.ssh_command(*argv, user=user)
        return _run([command[0], "-o", "BatchMode=yes", *command[1:]], input, timeout_s)

    def enter(
        self,
        *argv: str,
        input: bytes | None = None,  # noqa: A002 - the name that subprocess.run gave it
        timeout_s: float = 30.0,
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs a program in its namespaces as root, without its network; for a host cut off.

        The program joins the host's cgroup, so that it is paused and killed with it.

        Raises:
            LabHostDownError: The host is not running.
            subprocess.TimeoutExpired: It took longer, for instance because the host is paused.
        """
        join = f'echo $$ >{self.cgroup.path}/cgroup.procs && exec nsenter "$@"'
        target = ["--target", str(self.pid)]
        spaces = ["--mount", "--net", "--uts", "--ipc", "--pid", "--cgroup", "--root", "--wd"]
        return _run(["sh", "-c", join, "sh", *target, *spaces, "--", *argv], input, timeout_s)

    def pause(self) -> None:
        """Every process of it stands still, as if the machine hung; its disk and memory stay."""
        self._require_alive()
        self.cgroup.freeze(frozen=True)

    def resume(self) -> None:
        """Every process of it runs on."""
        self._require_alive()
        self.cgroup.freeze(frozen=False)

    def cut(self) -> None:
        """No packet reaches it or leaves it; it runs on."""
        self._require_alive()
        network.set_link(self._port, up=False)

    def heal(self) -> None:
        """Packets flow again."""
        self._require_alive()
        network.set_link(self._port, up=True)

    def kill(self) -> None:
        """All its processes die at once, as if the power went; its disk stays."""
        self.cgroup.kill()
        network.remove(self.blueprint.bridge, [self._port])

    def boot(self) -> None:
        """It runs again, with the disk that it had. Nothing happens where it runs already.

        Raises:
            LabBootError: It did not come up.
        """
        self.boot_again(self.name)

    @property
    def _port(self) -> str:
        return self.blueprint.port(self.name)

    def _require_alive(self) -> None:
        if not self.alive:
            raise LabHostDownError(lab=self.lab, host=self.name)


def _run(
    argv: list[str], stdin: bytes | None, timeout_s: float
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        argv,
        input=b"" if stdin is None else stdin,
        capture_output=True,
        check=False,
        timeout=timeout_s,
        env=dict(CLEAN_ENVIRONMENT),
    )
