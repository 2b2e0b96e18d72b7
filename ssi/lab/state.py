"""What is kept of a lab on disk: its blueprint, its keys, the disks of its hosts.

``/var/lib/ssi-lab/NAME`` holds ``lab.json``, ``ssh_config``, ``known_hosts``, the client key
``key``, and per host a folder with the overlay's ``upper`` and ``work``. Whether a host runs is
not written down anywhere: the kernel knows.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path

from ssi.lab.blueprint import Blueprint, check_name
from ssi.lab.lock import hold_lock

STATE = Path("/var/lib/ssi-lab")
LOCK_TIMEOUT_S = 60.0
"""Longer than any up or down; one lock serves all labs, so that no two choose one subnet."""


@contextmanager
def exclusive() -> Iterator[None]:
    """No other command changes a lab on this machine meanwhile."""
    STATE.mkdir(parents=True, exist_ok=True)
    with hold_lock(STATE / ".lock", timeout_s=LOCK_TIMEOUT_S):
        yield


def folder_of(name: str) -> Path:
    """Where the lab's files are.

    Raises:
        UsageError: No lab can have that name.
    """
    check_name(name)
    return STATE / name


def names() -> list[str]:
    """The labs on this machine, also those of which a crash left only a part."""
    if not STATE.is_dir():
        return []
    return sorted(path.name for path in STATE.iterdir() if path.is_dir())


def load(name: str) -> Blueprint | None:
    """The blueprint of the lab; None where there is no such lab."""
    try:
        kept = json.loads((folder_of(name) / "lab.json").read_text())
    except FileNotFoundError:
        return None
    return Blueprint(
        name=name,
        subnet=IPv4Network(kept["subnet"]),
        size=kept["size"],
        image=Path(kept["image"]),
        init=kept.get("init", "own"),  # labs of older versions have no other
    )


def save(blueprint: Blueprint) -> None:
    """The blueprint is on disk, whole: a reader never sees half of it."""
    kept = {
        "subnet": str(blueprint.subnet),
        "size": blueprint.size,
        "image": str(blueprint.image),
        "init": blueprint.init,
    }
    folder = folder_of(blueprint.name)
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / "lab.json.new"
    fresh.write_text(json.dumps(kept, indent=2) + "\n")
    fresh.rename(folder / "lab.json")


def remove(name: str) -> None:
    """None of the lab's files exists; its hosts are dead, so nothing is mounted in them.

    What says that a disk is whole goes first: of a removal that is cut short, the next lab of that
    name takes nothing over.
    """
    folder = folder_of(name)
    for born in folder.glob("*/born"):
        born.unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)


def networks_reserved() -> list[IPv4Network]:
    """The subnets of all labs, running or not."""
    return [blueprint.subnet for name in names() if (blueprint := load(name)) is not None]
