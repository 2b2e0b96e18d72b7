"""Finds the agent to ask, and starts this user's client-mode agent where one is needed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from ssi.client import paths
from ssi.client.errors import DoorClosed, NoSystem

START_TIMEOUT_S = 10.0
"""How long a client-mode agent may take to open its door."""


async def open_door() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the agent of this machine.

    ``SSI_DOOR`` names its socket; else a system that was deployed from here is reached by this
    user's client-mode agent, and a node's own agent by its door.

    Raises:
        NoSystem: There is nothing to ask.
        DoorClosed: There should be, but it does not answer.
    """
    named = os.environ.get("SSI_DOOR")
    if named:
        return await _connect(Path(named))
    if paths.is_client():
        return await _connect_client()
    if paths.node_door().exists():
        return await _connect(paths.node_door())
    raise NoSystem


async def _connect(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        return await asyncio.open_unix_connection(str(path), limit=2 * 1024 * 1024)
    except OSError as exc:
        raise DoorClosed(path=str(path), reason=exc.strerror or str(exc)) from exc


async def _connect_client() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    path = paths.client_door()
    try:
        return await _connect(path)
    except DoorClosed:
        start_client_agent()
    give_up_at_s = asyncio.get_running_loop().time() + START_TIMEOUT_S
    while True:
        try:
            return await _connect(path)
        except DoorClosed:
            if asyncio.get_running_loop().time() > give_up_at_s:
                raise
            await asyncio.sleep(0.02)


def start_client_agent() -> None:
    """Starts this user's client-mode agent, detached. A second one ends by itself at once."""
    runtime, state = paths.client_runtime(), paths.client_state()
    for directory in (runtime, state):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key, roster = str(paths.client_key()), str(paths.cluster())
    subprocess.Popen(
        [sys.executable, "-m", "nodeagent", "--client", "--key", key, "--roster", roster],
        env={**os.environ, "SSI_RUNTIME_DIR": str(runtime), "SSI_STATE_DIR": str(state)},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
