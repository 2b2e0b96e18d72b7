"""What the host is and what is on it already."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from ssi.deploy.onhost.layout import Layout
from ssi.deploy.onhost.wire import Fields


def probe(layout: Layout) -> Fields:
    """Everything that the deployer decides by."""
    return {
        "python": list(sys.version_info[:3]),
        "abi": _abi(),
        "arch": _arch(),
        "libc": _libc(),
        "is_root": layout.is_root,
        "criu": _criu(),
        "fuse": os.access("/dev/fuse", os.W_OK),
        "systemd": Path("/run/systemd/system").is_dir(),
        "cgroup": _cgroup(),
        "free_bytes": free_bytes(layout.state),
        "address": (os.environ.get("SSH_CONNECTION", "").split() + [""] * 3)[2],
        "deployed": read_json(layout.deployed, {}),
        "system": _system(layout),
    }


def free_bytes(path: Path) -> int:
    """Room for files below ``path``, which need not exist yet."""
    while not path.exists():
        path = path.parent
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def read_json(path: Path, default: Fields) -> Fields:
    """The object in a file; the default where there is none that can be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return default
    return found if isinstance(found, dict) else default


def _system(layout: Layout) -> str:
    """Name of the system that the host belongs to: the first member of its roster's array."""
    try:
        found = json.loads(layout.roster.read_bytes())
    except (OSError, ValueError):
        return ""
    return str(found[0]) if isinstance(found, list) and found else ""


def _abi() -> str:
    """For instance ``cp313``, from ``.cpython-313-x86_64-linux-gnu.so``."""
    found = re.match(r"\.cpython-(\d+t?)", EXTENSION_SUFFIXES[0])
    return f"cp{found[1]}" if found else sys.implementation.name


def _arch() -> str:
    machine = os.uname().machine
    is_32_bits = struct.calcsize("P") == 4
    return {"x86_64": "i686", "aarch64": "armv7l"}.get(machine, machine) if is_32_bits else machine


def _libc() -> list[str | int]:
    try:
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
    except (ValueError, OSError):
        return ["musl", 1, 2]  # it does not tell; 1.2 is of 2020
    major, minor = version.split(".")[:2]
    return [name, int(major), int(minor)]


def _criu() -> str:
    program = shutil.which("criu", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, check=False, timeout=5, text=True
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"Version:\s*(\S+)", done.stdout)
    return found[1] if found else ""


def _cgroup() -> int:
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return 2
    return 1 if Path("/sys/fs/cgroup").is_dir() else 0
