"""The agent's part in the files: a warden runs, and is asked to mount and unmount."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
from pathlib import Path
from typing import Final

from nodeagent.filesystem.control import Control, Refused, ask_warden
from nodeagent.mechanism.daemon import daemon_command, own_lib
from nodeagent.mechanism.pidfile import open_process
from nodeagent.places import Places

START_S: Final = 10.0
"""How long a warden may take until it has written its pid."""

AGAIN_S: Final = 1.0
_log: Final = logging.getLogger(__name__)


async def keep_warden(node: str, places: Places, address: str, port: int) -> None:
    """Sees to it that a warden runs, until cancelled. It outlives this agent."""
    loop = asyncio.get_running_loop()
    while True:
        running = open_process(places.files_pid)
        if running is None:
            await _start(node, places, address, port)
            continue
        pid, process = running
        await asyncio.to_thread(_renew, pid, places)
        ended = asyncio.Event()
        loop.add_reader(process, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(process)
            os.close(process)
        _log.warning("event=warden-ended pid=%d", pid)


def _renew(pid: int, places: Places) -> None:
    """A warden that runs from other code than this agent goes on with ours; mounts stay."""
    arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    if os.fsencode(own_lib()) in arguments:
        return
    try:
        ask_warden(places.files_socket, Control(deed="replace", lib=str(own_lib())))
    except (OSError, Refused) as exc:
        _log.warning("event=warden-not-replaced reason=%s", exc)


async def _start(node: str, places: Places, address: str, port: int) -> None:
    options = ["--name", node, "--address", address, "--port", str(port)]
    command = daemon_command("nodeagent.filesystem", options)
    started = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL)  # noqa: ASYNC220 - a fork of 1 ms
    give_up_at_s = asyncio.get_running_loop().time() + START_S
    while asyncio.get_running_loop().time() < give_up_at_s and started.poll() is None:
        if open_process(places.files_pid) is not None:
            return
        await asyncio.sleep(0.05)
    await asyncio.sleep(AGAIN_S)
