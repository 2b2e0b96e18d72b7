"""Where a person's own files of ssi are, on a machine from which others are deployed."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def config_dir() -> Path:
    """``~/.config/ssi``: the client's key and the roster; ``SSI_CONFIG_DIR`` overrides it."""
    return Path(os.environ.get("SSI_CONFIG_DIR") or platformdirs.user_config_dir("ssi"))


def cache_dir() -> Path:
    """``~/.cache/ssi``: wheels and bundles; ``SSI_CACHE_DIR`` overrides it."""
    return Path(os.environ.get("SSI_CACHE_DIR") or platformdirs.user_cache_dir("ssi"))


def client_key() -> Path:
    """The secret key of this user's client-mode agent, 0600."""
    return config_dir() / "client.key"


def cluster() -> Path:
    """The roster as this user's client-mode agent knows it, JSON."""
    return config_dir() / "cluster"


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


def _below_state(name: str) -> Path:
    if os.environ.get("SSI_CONFIG_DIR"):
        return config_dir() / "state" / name
    return Path(platformdirs.user_state_dir("ssi")) / name
