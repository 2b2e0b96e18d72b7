"""Where an agent, its keeper and its shims keep their things on a node.

``runtime`` goes away with a reboot, as the processes do: sockets, the images of jobs that move,
what says that an agent runs. ``state`` stays: keys, the roster, what is known of jobs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PRIVATE_MODE = 0o700
"""Of every directory but the root agent's ``runtime`` and ``bundles``."""


@dataclass(frozen=True, slots=True)
class Places:
    """The files of one agent.

    Attributes:
        runtime: ``/run/ssi`` for root. Everyone may enter it there, because the door is in it.
        state: ``/var/lib/ssi`` for root.
    """

    runtime: Path
    state: Path

    @classmethod
    def of_this_user(cls) -> Places:
        """Those of the user that this process runs as, with the overrides of its environment."""
        return places_of(os.geteuid(), Path.home(), os.environ)

    # Gone with a reboot

    @property
    def door(self) -> Path:
        """Socket for the people on this machine."""
        return self.runtime / "door.sock"

    @property
    def keeper_socket(self) -> Path:
        """Socket on which the keeper takes orders for shims, 0600."""
        return self.runtime / "keeper.sock"

    @property
    def keeper_pid(self) -> Path:
        """Pid and start time of the keeper."""
        return self.runtime / "keeper.pid"

    @property
    def agent_pid(self) -> Path:
        """Pid and start time of the agent."""
        return self.runtime / "agent.pid"

    @property
    def ready(self) -> Path:
        """What a started agent tells to whoever deployed it, JSON."""
        return self.runtime / "ready"

    @property
    def down(self) -> Path:
        """Its existence tells the keeper to end, and the agent with it."""
        return self.runtime / "down"

    @property
    def job_sockets(self) -> Path:
        """One directory per job, named by its gpid, with the shim's socket and log."""
        return self.runtime / "jobs"

    @property
    def images(self) -> Path:
        """One directory per job that moves, named by its gpid; in memory (tmpfs)."""
        return self.runtime / "images"

    @property
    def files_socket(self) -> Path:
        """Socket on which the warden of mounts takes orders, 0600."""
        return self.runtime / "files.sock"

    @property
    def files_pid(self) -> Path:
        """Pid and start time of the warden."""
        return self.runtime / "files.pid"

    @property
    def files(self) -> Path:
        """What the workers of mounts write down, for those after them."""
        return self.runtime / "files"

    @property
    def guests(self) -> Path:
        """Public keys that may ask the file server for a while, with their users, 0600."""
        return self.runtime / "guests"

    # Kept

    @property
    def secret_key(self) -> Path:
        """The node's CURVE secret key, 0600."""
        return self.state / "node.key"

    @property
    def roster(self) -> Path:
        """The roster as last installed."""
        return self.state / "roster"

    @property
    def vouchers(self) -> Path:
        """Entries of the roster as nodes have signed them."""
        return self.state / "vouchers"

    @property
    def clients(self) -> Path:
        """Public keys of client-mode agents with their users, 0600."""
        return self.state / "clients"

    @property
    def sequence(self) -> Path:
        """The last sequence number that was given to a job process here."""
        return self.state / "sequence"

    @property
    def cordon(self) -> Path:
        """Its existence says that placement is to pass this node over."""
        return self.state / "cordoned"

    @property
    def jobs(self) -> Path:
        """One directory per job, named by its gpid: what it is, its logs, how it ended."""
        return self.state / "jobs"

    @property
    def checkpoints(self) -> Path:
        """One directory per checkpoint that is kept, by its name."""
        return self.state / "checkpoints"

    @property
    def adoptions(self) -> Path:
        """Adoptions of processes that are under way, by the gpid of the job to be."""
        return self.state / "adoptions"

    @property
    def departed(self) -> Path:
        """Jobs that left this node, or ended on it after a move."""
        return self.state / "departed"

    @property
    def exported(self) -> Path:
        """In client mode: what jobs elsewhere may see of this machine's files."""
        return self.state / "exported"

    @property
    def agent_log(self) -> Path:
        """Log of the agent."""
        return self.state / "agent.log"

    @property
    def keeper_log(self) -> Path:
        """Log of the keeper."""
        return self.state / "keeper.log"

    @property
    def files_log(self) -> Path:
        """Log of the warden, the file server and the worker."""
        return self.state / "files.log"

    @property
    def bundles(self) -> Path:
        """Code of the agent and the faces, one directory per content hash, 0755."""
        return self.state / "bundles"


def places_of(uid: int, home: Path, environment: Mapping[str, str]) -> Places:
    """The places of a user.

    Args:
        uid: 0 has the system's places, everyone else those below ``home``.
        home: Home directory.
        environment: ``SSI_RUNTIME_DIR`` and ``SSI_STATE_DIR`` override either place,
            ``XDG_RUNTIME_DIR`` names the runtime directory of a user who is not root.
    """
    if uid == 0:
        runtime, state = Path("/run/ssi"), Path("/var/lib/ssi")
    else:
        state = home / ".local/state/ssi"
        session = environment.get("XDG_RUNTIME_DIR", "")
        runtime = Path(session) / "ssi" if session else state / "run"
    return Places(
        runtime=Path(environment.get("SSI_RUNTIME_DIR") or runtime),
        state=Path(environment.get("SSI_STATE_DIR") or state),
    )
