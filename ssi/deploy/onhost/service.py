"""What of a keeper the host's own start-up knows: its environment, a systemd unit, a command."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ssi.deploy.onhost.layout import UNIT_FILE, Layout
from ssi.deploy.onhost.wire import Failed

MARK = "# Made by `ssi up`; `ssi down` removes it."
SYSTEMCTL_TIMEOUT_S = 30.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def command_of(name: str) -> list[str]:
    """The keeper's command line. It names no secret: everyone may read it."""
    return [sys.executable, "-s", "-P", "-m", "nodeagent.keeper", "--name", name]


def environment_of(layout: Layout, layer: str) -> dict[str, str]:
    """The keeper's whole environment. The agent inherits it, jobs do not."""
    return {
        "PATH": _PATH,
        "HOME": str(Path.home()),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(layout.bundles / layer / "lib"),
        "SSI_RUNTIME_DIR": str(layout.runtime),
        "SSI_STATE_DIR": str(layout.state),
    }


def unit_text(command: list[str], environment: Mapping[str, str]) -> str:
    """The systemd unit. Stopping it ends the keeper and its agent; jobs live on.

    However often the keeper was killed, it comes back: a node that gave up would be lost.

    Source: systemd.service(5), systemd.kill(5), systemd.unit(5).
    """
    lines = "".join(f'Environment="{key}={value}"\n' for key, value in environment.items())
    return f"""{MARK}
[Unit]
Description=ssi node agent and its keeper
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart={shlex.join(command)}
{lines}UMask=0077
WorkingDirectory=/
KillMode=process
Delegate=yes
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""


def wrapper_text(layout: Layout, agent: str, faces: str) -> str:
    """The ``ssi`` command of a host. Full paths, so that one that runs is not switched midway.

    It is read by the shell, and tells ``ssi/cli/launch.sh`` what that needs to know.
    """
    library = ":".join(str(layout.bundles / layer / "lib") for layer in (faces, agent))
    door = f'[ -n "${{SSI_DOOR+set}}" ] || export SSI_DOOR={shlex.quote(str(layout.door))}\n'
    return f"""#!/bin/sh
{MARK}
ssi_command=$0
ssi_python={shlex.quote(sys.executable)}
ssi_library={shlex.quote(library)}
{"" if layout.is_root else door}. "${{ssi_library%%:*}}/ssi/cli/launch.sh"
"""


def write_wrapper(layout: Layout, agent: str, faces: str) -> None:
    """The command is there, or is not where the faces are left out.

    Raises:
        Failed: Another program has that name, and is left alone.
    """
    path = layout.wrapper
    if path.exists() and not is_ours(path):
        raise Failed("remote-step-failed", step="the ssi command", reason=f"{path} is not ours")
    if faces:
        replace(path, wrapper_text(layout, agent, faces), layout.folder_mode)
    else:
        path.unlink(missing_ok=True)


def is_ours(path: Path) -> bool:
    """Whether ``ssi up`` made that file."""
    try:
        return MARK in path.read_text()
    except (OSError, UnicodeDecodeError):
        return False


def replace(path: Path, text: str, mode: int) -> bool:
    """The file holds the text, swapped in one step. Whether it did not before."""
    try:
        if path.read_text() == text:
            return False
    except (OSError, UnicodeDecodeError):
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.chmod(mode)
    fresh.replace(path)
    return True


def systemctl(*arguments: str) -> None:
    """Runs systemctl.

    Raises:
        Failed: It failed or hangs.
    """
    step = f"systemctl {arguments[0]}"
    try:
        done = subprocess.run(
            ["systemctl", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=SYSTEMCTL_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as exc:
        raise Failed("remote-step-failed", step=step, reason="it hangs") from exc
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip()[-200:]
        raise Failed("remote-step-failed", step=step, reason=reason)


def uses_systemd(layout: Layout) -> bool:
    """Whether systemd is pid 1 and we may give it a unit."""
    return layout.is_root and Path("/run/systemd/system").is_dir()


def has_unit() -> bool:
    """Whether our unit is installed."""
    return UNIT_FILE.exists()
