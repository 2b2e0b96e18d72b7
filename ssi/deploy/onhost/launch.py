"""Starts the keeper, which starts the agent; replaces both by newer ones; never touches a job."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from ssi.deploy.onhost import process, service
from ssi.deploy.onhost.layout import UNIT_FILE, Layout
from ssi.deploy.onhost.probe import read_json
from ssi.deploy.onhost.wire import Failed, Fields

STOP_LIMIT_S = 8.0
"""For a keeper that was told to end; it gives its agent 5 s."""


IMPORT_LIMIT_S = 20.0


def running_agent(layout: Layout) -> Fields:
    """What the agent that runs tells of itself; empty where none answers."""
    ready = read_json(layout.ready, {})
    if not ready or not process.is_alive(int(ready.get("pid", 0))) or not answers(layout.door):
        return {}
    return ready


def answers(path: Path) -> bool:
    """Whether somebody listens at that socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def shims(layout: Layout) -> int:
    """How many shims live, each with a job that may still run."""
    return sum(answers(path) for path in layout.jobs.glob("*/shim.sock"))


def start(layout: Layout, name: str, agent: str, faces: str, limit_s: float) -> Fields:
    """An agent of that name runs from that layer; nothing changes where it does already.

    Returns:
        What it tells of itself, and as ``started`` whether it was started now.

    Raises:
        Failed: It does not get ready within ``limit_s``.
    """
    wanted = {"name": name, "agent": agent, "faces": faces}
    before = read_json(layout.deployed, {})
    ready = running_agent(layout)
    started = ready.get("bundle") != agent or before.get("name") != name
    if started:
        stop(layout)
        layout.ready.unlink(missing_ok=True)
        (layout.runtime / "down").unlink(missing_ok=True)
        _import_once(layout, agent)
        _launch(layout, name, agent)
        ready = _await_ready(layout, limit_s)
    service.write_wrapper(layout, agent, faces)
    if before != wanted:
        service.replace(layout.deployed, json.dumps(wanted), 0o600)
        _compile(layout, [layer for layer in (agent, faces) if layer])
    return {**ready, "started": started}


def stop(layout: Layout) -> None:
    """No keeper and no agent runs; jobs do."""
    if service.uses_systemd(layout) and service.has_unit():
        service.systemctl("stop", UNIT_FILE.name)
    names = ("keeper.pid", "agent.pid")
    process.end((process.pid_in(layout.runtime / name) for name in names), polite_s=STOP_LIMIT_S)


def _launch(layout: Layout, name: str, agent: str) -> None:
    command, environment = service.command_of(name), service.environment_of(layout, agent)
    if service.uses_systemd(layout):
        service.replace(UNIT_FILE, service.unit_text(command, environment), 0o644)
        service.systemctl("daemon-reload")
        service.systemctl("enable", "--quiet", UNIT_FILE.name)
        service.systemctl("start", UNIT_FILE.name)
    else:
        detach(command, environment)


def _import_once(layout: Layout, agent: str) -> None:
    """Compiles what an agent imports, in a process that ends.

    An agent that compiled it itself would keep 5 MB for it as long as it lives (measured).
    """
    environment = service.environment_of(layout, agent)
    command = [
        sys.executable,
        "-s",
        "-P",
        "-c",
        "import nodeagent.agent, nodeagent.keeper.forge, nodeagent.filesystem.warden",
    ]
    with contextlib.suppress(subprocess.TimeoutExpired):  # what is wrong, the agent itself tells
        subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=IMPORT_LIMIT_S,
            check=False,
        )


def detach(command: list[str], environment: dict[str, str], *, niceness: int = 0) -> None:
    """Starts a program that outlives us: no parent, no session, no descriptor of ours."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(null, descriptor)
        os.closerange(3, 256)
        os.chdir("/")
        os.nice(niceness)
        os.execve(command[0], command, environment)  # noqa: S606 - words, no shell
    finally:
        os._exit(127)  # the fork must not go on as a second deployer's program


def _await_ready(layout: Layout, limit_s: float) -> Fields:
    give_up_at = time.monotonic() + limit_s
    while time.monotonic() < give_up_at:
        if layout.ready.exists() and (ready := running_agent(layout)):
            return ready
        time.sleep(process.POLL_S)
    raise Failed("agent-not-ready", after_s=limit_s, log=_last_words(layout))


def _last_words(layout: Layout) -> str:
    """The last line that agent or keeper wrote."""
    for name in ("agent.log", "keeper.log"):
        try:
            lines = (layout.state / name).read_text(errors="replace").strip().splitlines()
        except OSError:
            continue
        if lines:
            return lines[-1][-300:]
    return ""


def _compile(layout: Layout, layers: list[str]) -> None:
    """Compiles a new bundle in the background: users cannot write to it, and start faster so."""
    folders = [str(layout.bundles / layer / "lib") for layer in layers]
    umask = os.umask(0o777 & ~layout.folder_mode)
    try:
        command = [sys.executable, "-I", "-S", "-m", "compileall", "-q", "-f", *folders]
        detach(command, {"PATH": "/usr/bin:/bin"}, niceness=19)
    finally:
        os.umask(umask)
