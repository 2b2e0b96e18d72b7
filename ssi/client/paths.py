"""Where a person's own files of ssi are, on a machine from which others are deployed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import platformdirs

NO_HOME: Final = "/nonexistent/ssi"
"""Debian's name for the home of those who have none. Source: Debian Policy 9.2.3."""

MOUNTS: Final = Path("/proc/self/mountinfo")


def config_dir() -> Path:
    """``~/.config/ssi``: the client's key and the roster; ``SSI_CONFIG_DIR`` overrides it."""
    return Path(os.environ.get("SSI_CONFIG_DIR") or _own(platformdirs.user_config_dir))


def cache_dir() -> Path:
    """``~/.cache/ssi``: wheels and bundles; ``SSI_CACHE_DIR`` overrides it."""
    return Path(os.environ.get("SSI_CACHE_DIR") or _own(platformdirs.user_cache_dir))


def client_key() -> Path:
    """The secret key of this user's client-mode agent, 0600."""
    return config_dir() / "client.key"


def cluster() -> Path:
    """The roster as this user's client-mode agent knows it, JSON."""
    return config_dir() / "cluster"


def is_client() -> bool:
    """Whether this user deploys a system from this machine, and does not see another's files.

    On a node a job has its user's home of the machine that it was started from.
    """
    try:
        device = cluster().stat().st_dev
    except OSError:
        return False
    return not (node_door().exists() and _is_others(device))


def client_state() -> Path:
    """Log of the client-mode agent."""
    return _below_state("client")


def client_runtime() -> Path:
    """Door of the client-mode agent. Apart from that of a node agent of the same user."""
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.environ.get("SSI_CONFIG_DIR"):  # another system of the same user has a door of its own
        return config_dir() / "run"
    return Path(session) / "ssi-client" if session else _below_state("client/run")


def client_door() -> Path:
    """Socket of the client-mode agent."""
    return client_runtime() / "door.sock"


def node_door() -> Path:
    """Socket of a node's agent that runs as root."""
    return Path("/run/ssi/door.sock")


def _is_others(device: int) -> bool:
    """Whether the files on a device are another machine's, by way of ssi.

    Source: proc_pid_mountinfo(5).
    """
    number = f"{os.major(device)}:{os.minor(device)}"
    with MOUNTS.open() as mounts:
        found = [mount.split(" - ")[-1] for mount in mounts if mount.split()[2] == number]
    return any(mount.startswith("fuse.ssi ") for mount in found)


def _below_state(name: str) -> Path:
    if os.environ.get("SSI_CONFIG_DIR"):
        return config_dir() / "state" / name
    return Path(_own(platformdirs.user_state_dir)) / name


def _own(folder: Callable[[str], str]) -> str:
    """A folder of this user; one that is never there for a user without a home, as of a service."""
    try:
        return folder("ssi")
    except RuntimeError:
        return NO_HOME
