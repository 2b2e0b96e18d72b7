"""Where everything of ssi lies on a host. The agent's own places are ``nodeagent.places``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

UNIT_FILE = Path("/etc/systemd/system/ssi.service")


@dataclass(frozen=True)
class Layout:
    """The files of one deployment.

    Attributes:
        is_root: It serves every user of the host; else only its own.
        runtime: Sockets and pids, gone with a reboot.
        state: Keys, bundles, logs.
        wrapper: The ``ssi`` command for people on the host.
    """

    is_root: bool
    runtime: Path
    state: Path
    wrapper: Path

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever deployed here, or all of it was removed."""
        return not (self.state.exists() or self.runtime.exists() or self.wrapper.exists())

    @property
    def bundles(self) -> Path:
        """One directory per layer, named by its content."""
        return self.state / "bundles"

    @property
    def deployed(self) -> Path:
        """What was deployed last: the node's name and its layers."""
        return self.state / "deployed"

    @property
    def roster(self) -> Path:
        """The roster as the agent keeps it."""
        return self.state / "roster"

    @property
    def ready(self) -> Path:
        """What a started agent tells of itself."""
        return self.runtime / "ready"

    @property
    def door(self) -> Path:
        """The agent's socket."""
        return self.runtime / "door.sock"

    @property
    def jobs(self) -> Path:
        """One directory per job, with the socket of its shim."""
        return self.runtime / "jobs"

    @property
    def lock(self) -> Path:
        """Held while a deployment works on this host."""
        return self.runtime / "deploy.lock"

    @property
    def folder_mode(self) -> int:
        """Of what others must be able to enter: root's command serves every user."""
        return 0o755 if self.is_root else 0o700


def layout_of(uid: int, home: Path) -> Layout:
    """The layout for the user that the deployer logged in as.

    ``XDG_RUNTIME_DIR`` is not used: it goes away with the last login, the agent must not.
    """
    if uid == 0:
        command = Path("/usr/local/bin/ssi")
        return Layout(True, Path("/run/ssi"), Path("/var/lib/ssi"), command)
    state = home / ".local/state/ssi"
    return Layout(False, state / "run", state, home / ".local/bin/ssi")
