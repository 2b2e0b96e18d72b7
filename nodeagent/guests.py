"""Keys that may ask this node's file server for a while: the agent writes them, the server reads.

A guest is a command that copies or shows files. Its key lives in its memory only and is good for
nothing but files. A reboot forgets all guests.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from nodeagent.files import replace_file

MAX_LEASE_S: Final = 120.0
MAX_GUESTS_PER_USER: Final = 200


class TooManyGuests(Exception):
    """A user has too many of them at a time."""


class Guests:
    """The guests of one node.

    Args:
        path: The file that agent and server have in common.
        clock: Seconds, the same for both.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._stamp: tuple[int, int] | None = None
        self._untils: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def allow(self, public_key: str, user: str, lease_s: float) -> None:
        """Lets that key in for the user, for so long from now; 0 ends it.

        Raises:
            TooManyGuests: And so it is not let in.
            PermissionError: Another user's guest has that key.
            OSError: The file cannot be written.
        """
        self._refresh()
        now_s = self._clock()
        known = self._untils.get(public_key)
        if known is not None and known[1] > now_s and known[0] != user:
            raise PermissionError(public_key)
        untils = {
            key: held for key, held in self._untils.items() if held[1] > now_s and key != public_key
        }
        if lease_s > 0:
            if sum(held[0] == user for held in untils.values()) >= MAX_GUESTS_PER_USER:
                raise TooManyGuests
            untils[public_key] = (user, now_s + min(lease_s, MAX_LEASE_S))
        replace_file(self._path, msgspec.json.encode(untils), durable=False)
        self._untils = untils

    def user_of(self, public_key: str) -> str:
        """The user of a guest; empty where that key is none's. Any thread."""
        held = self._untils.get(public_key)
        now_s = self._clock()
        if held is None or held[1] <= now_s:
            self._refresh()
            held = self._untils.get(public_key)
        return held[0] if held is not None and held[1] > now_s else ""

    def _refresh(self) -> None:
        """Reads the file again where it has changed; one that is damaged lets nobody in."""
        with self._lock:
            try:
                found = os.stat(self._path)  # noqa: PTH116 - for each key that is not known
                stamp = (found.st_mtime_ns, found.st_ino)
                if stamp == self._stamp:
                    return
                content = self._path.read_bytes()
                self._untils = msgspec.json.decode(content, type=dict[str, tuple[str, float]])
                self._stamp = stamp
            except FileNotFoundError:
                self._untils = {}
            except (msgspec.DecodeError, UnicodeDecodeError):
                self._untils = {}
