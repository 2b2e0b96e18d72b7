"""The bundles on a host: each layer whole, or not there at all."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import Collection
from pathlib import Path

from ssi.deploy.onhost.wire import Failed

KEPT = 2
"""Layers of a kind that stay: a program of the one before last may still run and import."""


class Store:
    """The layers below a directory.

    Args:
        directory: Where they are; made when first needed.
        folder_mode: Of directories; files but programs lose the execute bits.
    """

    def __init__(self, directory: Path, folder_mode: int) -> None:
        self._directory = directory
        self._folder_mode = folder_mode

    def has(self, name: str) -> bool:
        """Whether that layer is there with each of its files in its size.

        A power cut may leave files empty that were never synced; their sizes tell.
        """
        folder = self._directory / name
        try:
            listed = (folder / "sizes").read_text().splitlines()
        except OSError:
            return False
        for line in listed:
            size, _, path = line.partition(" ")
            try:
                if os.stat(folder / path).st_size != int(size):  # noqa: PTH116 - a thousand of them
                    return False
            except OSError:
                return False
        return bool(listed)

    def put(self, name: str, sha256: str, archive: bytes) -> None:
        """Unpacks a layer. It appears under its name in one step, or never.

        Raises:
            Failed: The archive is not the one that was announced.
            OSError: The disk is full, for instance; nothing of it is left.
        """
        if hashlib.sha256(archive).hexdigest() != sha256:
            raise Failed("bundle-damaged", reason="its checksum differs")
        fresh = self._directory / f".{name}.{os.getpid()}"
        umask = os.umask(0o777 & ~self._folder_mode)
        try:
            self._clear()
            fresh.mkdir(parents=True)
            _unpack(archive, fresh)
            final = self._directory / name
            if final.exists():  # it was damaged, or it would not have been sent
                shutil.rmtree(final)
            fresh.rename(final)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        finally:
            os.umask(umask)

    def prune(self, in_use: Collection[str]) -> None:
        """Removes layers but those in use and the newest others."""
        others = [path for path in self._layers() if path.name not in in_use]
        others.sort(key=lambda path: path.stat().st_mtime)
        for path in others[:-KEPT]:
            shutil.rmtree(path, ignore_errors=True)

    def _layers(self) -> list[Path]:
        return [path for path in self._directory.iterdir() if not path.name.startswith(".")]

    def _clear(self) -> None:
        """Removes what a deployment left that was killed while unpacking; the lock is ours."""
        if self._directory.is_dir():
            for path in self._directory.glob(".*"):
                shutil.rmtree(path, ignore_errors=True)


def _unpack(archive: bytes, folder: Path) -> None:
    made: set[str] = set()
    sizes = []
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for entry in tar:
            parts = entry.name.split("/")
            if not entry.isreg() or parts[0] != "lib" or ".." in parts or "" in parts:
                raise Failed("bundle-damaged", reason=f"it holds {entry.name!r}")
            parent = "/".join(parts[:-1])
            if parent not in made:
                (folder / parent).mkdir(parents=True, exist_ok=True)
                made.add(parent)
            content = tar.extractfile(entry)
            assert content is not None
            data = content.read()
            path = folder / entry.name
            path.write_bytes(data)
            if entry.mode & 0o100:
                path.chmod((folder / parent).stat().st_mode & 0o777)  # for whom its folder is
            sizes.append(f"{len(data)} {entry.name}\n")
    (folder / "sizes").write_text("".join(sizes))
