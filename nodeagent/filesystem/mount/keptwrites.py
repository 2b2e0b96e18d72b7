"""Writes that the kernel was told are done and the server has not answered: kept for a successor.

They lie in memory that a file names, so they outlive the worker: the next one sends them again,
which does no harm, for each says at which offset it belongs.
"""

from __future__ import annotations

import logging
import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ssi.protocol.filerequests import MAX_DATA_BYTES

SLOTS: Final = 8
"""For all mounts of a machine."""

_MAGIC: Final = b"ssiwrit1"
_HEAD: Final = struct.Struct("<QQQII")
_HEAD_BYTES: Final = 64
_FIRST_BYTES: Final = 4096
_STATE_AT: Final = _HEAD.size
_FREE, _KEPT = 0, 1
_SIZE: Final = _FIRST_BYTES + SLOTS * MAX_DATA_BYTES

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a write belongs.

    Attributes:
        mount: The mount's number.
        file: The open file's, as the kernel has it.
        strip: As in :class:`~ssi.protocol.filerequests.Write`.
    """

    mount: int
    file: int
    offset: int
    size: int
    strip: bool


class Slot:
    """Room for one write."""

    def __init__(self, memory: memoryview, index: int) -> None:
        at = (index + 1) * _HEAD_BYTES
        self._head = memory[at : at + _HEAD_BYTES]
        begin = _FIRST_BYTES + index * MAX_DATA_BYTES
        self._data = memory[begin : begin + MAX_DATA_BYTES]
        self._size = 0

    def fill(self, data: memoryview) -> None:
        """Takes the bytes."""
        self._size = len(data)
        self._data[: len(data)] = data

    @property
    def data(self) -> memoryview:
        """The bytes."""
        return self._data[: self._size]

    def keep(self, kept: Kept) -> None:
        """From now on a successor finds it."""
        _HEAD.pack_into(self._head, 0, kept.mount, kept.file, kept.offset, kept.size, kept.strip)
        self._head[_STATE_AT] = _KEPT

    def free(self) -> None:
        """No successor finds it any more."""
        self._head[_STATE_AT] = _FREE

    def found(self) -> Kept | None:
        """What an earlier worker has kept in it."""
        if self._head[_STATE_AT] != _KEPT:
            return None
        mount, file, offset, size, strip = _HEAD.unpack_from(self._head)
        self._size = size
        return Kept(mount, file, offset, size, bool(strip))


class KeptWrites:
    """See the module.

    Args:
        path: Of the file, in a file system in memory. It is made when it is needed first.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._free: list[Slot] = []
        self._left: list[tuple[Kept, Slot]] = []
        self._is_made = self._is_refused = False
        if path.exists():
            self._map(path)

    def take(self) -> Slot | None:
        """Room for a write; None where there is none."""
        if not self._is_made and not self._is_refused:
            self._make()
        return self._free.pop() if self._free else None

    def give(self, slot: Slot) -> None:
        """It is not needed any more."""
        slot.free()
        self._free.append(slot)

    def left(self, mount: int) -> list[tuple[Kept, Slot]]:
        """What an earlier worker has left for a mount: whoever asks has to give each back."""
        found = [each for each in self._left if each[0].mount == mount]
        self._left = [each for each in self._left if each[0].mount != mount]
        return found

    def _make(self) -> None:
        fresh = self._path.with_suffix(".new")
        try:
            descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                # All of it now: who touched what cannot be had later would be killed.
                os.posix_fallocate(descriptor, 0, _SIZE)
                os.pwrite(descriptor, _MAGIC, 0)
            finally:
                os.close(descriptor)
            fresh.replace(self._path)
        except OSError as exc:
            _log.warning("event=no-write-behind reason=%s", exc)
            fresh.unlink(missing_ok=True)
            self._is_refused = True
            return
        self._map(self._path)

    def _map(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            memory = memoryview(mmap.mmap(descriptor, _SIZE))
        except (OSError, ValueError):
            return  # shorter than it should be: nobody has kept anything in it
        finally:
            os.close(descriptor)
        if bytes(memory[: len(_MAGIC)]) != _MAGIC:
            return
        self._is_made = True
        for index in reversed(range(SLOTS)):
            slot = Slot(memory, index)
            kept = slot.found()
            if kept is None:
                self._free.append(slot)
            else:
                self._left.append((kept, slot))
