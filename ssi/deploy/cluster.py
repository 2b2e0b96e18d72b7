"""What the deploying machine keeps of its system: the roster, its key, who failed last time."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from nodeagent.files import replace_file
from ssi.client import paths
from ssi.deploy.errors import DeployerBusy, OutOfTime
from ssi.deploy.limit import Limit
from ssi.model.node import Roster
from ssi.model.unreadable import UNREADABLE
from ssi.transport.keys import load_or_make_key

LOCK_TIMEOUT_S = 90.0
"""Longer than most deployments; one that hangs ends by its own limits."""

NO_LIMIT = Limit()


def holder_of_lock() -> str:
    """What others are told who wait for us."""
    return f"{getpass.getuser()}@{socket.gethostname()}, pid {os.getpid()}"


@contextmanager
def exclusive(deed: str, limit: Limit = NO_LIMIT) -> Iterator[None]:
    """No other ``ssi up`` or ``ssi down`` of this user runs meanwhile.

    Raises:
        DeployerBusy: One still did after a minute and a half.
        OutOfTime: One still did at the limit.
    """
    _folder()
    descriptor = os.open(paths.config_dir() / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        give_up_at_s = time.monotonic() + limit.at_most_s(LOCK_TIMEOUT_S)
        while not _try_lock(descriptor):
            if time.monotonic() > give_up_at_s:
                holder = os.pread(descriptor, 500, 0).decode(errors="replace") or "unknown"
                if limit.left_s() != 0.0:
                    raise DeployerBusy(holder=holder, after_s=LOCK_TIMEOUT_S)
                doing = f"wait for another deployment ({holder})"
                raise OutOfTime(
                    host="nothing begun", doing=doing, after_s=limit.after_s or 0.0, again=deed
                )
            time.sleep(0.05)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{deed}, pid {os.getpid()}"[:500].encode(), 0)
        yield
    finally:
        os.close(descriptor)


def load_roster() -> Roster | None:
    """The roster as this machine knows it; None before the first deployment."""
    try:
        return msgspec.json.decode(paths.cluster().read_bytes(), type=Roster)
    except (FileNotFoundError, *UNREADABLE):
        return None  # the nodes have it too, and it is taken over from them


def save_roster(roster: Roster) -> None:
    """Keeps the roster, 0600."""
    _folder()
    replace_file(paths.cluster(), msgspec.json.encode(roster))


def own_name() -> str:
    """What the nodes call this user on this machine, beside the key."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def public_key() -> str:
    """The key by which the nodes know this user on this machine; made at the first time.

    Raises:
        KeyUnusable: It is there, and others could have read it.
    """
    _folder()
    return load_or_make_key(paths.client_key()).public


def save_failed(names: Sequence[str]) -> None:
    """Keeps which hosts failed, for ``--retry``."""
    replace_file(_failed(), json.dumps(list(names)).encode())


def load_failed() -> list[str]:
    """Which hosts failed last time."""
    try:
        return msgspec.json.decode(_failed().read_bytes(), type=list[str])
    except (FileNotFoundError, *UNREADABLE):
        return []


def forget_system() -> None:
    """Nothing of the system is kept here any more: its last node is gone."""
    for path in (paths.cluster(), paths.client_key(), _failed()):
        path.unlink(missing_ok=True)
    for folder in (paths.client_runtime(), paths.client_state()):
        shutil.rmtree(folder, ignore_errors=True)


def _failed() -> Path:
    return paths.config_dir() / "failed"


def _folder() -> None:
    paths.config_dir().mkdir(mode=0o700, parents=True, exist_ok=True)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
