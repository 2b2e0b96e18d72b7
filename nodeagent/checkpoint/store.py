"""Checkpoints on the disk of their node: root's alone, whole or not there at all."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from nodeagent.checkpoint.manifest import (
    Credentials,
    Image,
    Manifest,
    NotSealed,
    misfit,
    seal,
    unseal,
)
from nodeagent.files import sync_folder
from nodeagent.jobtable import remove_tree
from nodeagent.mechanism.crimage import BadImage
from nodeagent.mechanism.digest import sha256
from nodeagent.mechanism.imagecreds import read_image_credentials
from ssi.model.checkpoint import (
    CheckpointRefused,
    CheckpointRow,
    CheckpointStands,
    CheckpointUnknown,
    is_checkpoint_name,
)

_log = logging.getLogger(__name__)

RESERVE_BYTES: Final = 256 * 1024 * 1024
"""Left free on the disk: it is the one that everything else of the machine needs."""

MAX_PER_USER: Final = 200

_MANIFEST: Final = "manifest"
_IMAGES: Final = "images"
_PART: Final = ".part-"
_CHUNK_BYTES: Final = 1024 * 1024


class Store:
    """The checkpoints of one node. Every method may take as long as the disk does.

    Args:
        node: Its name.
        directory: Where they are; 0700, and made at the first one.
        key: Makes the key that seals manifests, when it is needed.
    """

    def __init__(self, node: str, directory: Path, key: Callable[[], bytes]) -> None:
        self._node = node
        self._directory = directory
        self._key = key

    def rows(self) -> list[CheckpointRow]:
        """All of them, oldest first; of a damaged one nothing is believed but its name."""
        rows = []
        for name in self._names():
            try:
                rows.append(self.manifest(name).as_row())
            except CheckpointRefused as exc:
                rows.append(CheckpointRow(name=name, node=self._node, problem=exc.reason))
            except CheckpointUnknown:
                continue
        return sorted(rows, key=lambda row: row.made_ms)

    def manifest(self, name: str) -> Manifest:
        """What a checkpoint is.

        Raises:
            CheckpointUnknown: There is none of that name.
            CheckpointRefused: This node did not write it so.
        """
        if not is_checkpoint_name(name):
            raise CheckpointUnknown(name=name)
        try:
            manifest = unseal((self._directory / name / _MANIFEST).read_bytes(), self._key())
        except FileNotFoundError as exc:
            raise CheckpointUnknown(name=name) from exc
        except (NotSealed, OSError) as exc:
            raise self._refused(name, str(exc)) from exc
        if manifest.name != name:
            raise self._refused(name, f"its manifest is that of {manifest.name}")
        return manifest

    def images(self, name: str) -> Path:
        """Directory of its images."""
        return self._directory / name / _IMAGES

    def check_images(self, manifest: Manifest) -> None:
        """Holds when the images are those that the manifest tells of, and of the same people.

        Raises:
            CheckpointRefused: They are not.
        """
        directory = self.images(manifest.name)
        try:
            there = {path.name for path in directory.iterdir()}
            if there != {image.name for image in manifest.images}:
                raise self._refused(manifest.name, "images are missing, or there are others")
            for image in manifest.images:
                if _digest(directory / image.name) != (image.size_bytes, image.digest):
                    raise self._refused(manifest.name, f"image {image.name} has been changed")
            reason = misfit(manifest, credentials_of(directory))
        except (OSError, BadImage) as exc:
            raise self._refused(manifest.name, str(exc)) from exc
        if reason:
            raise self._refused(manifest.name, reason)

    def free_name(self, stem: str) -> str:
        """A name that none has yet."""
        taken = set(self._names())
        return next(
            name for number in range(1, len(taken) + 2) if (name := f"{stem}.{number}") not in taken
        )

    def check_free(self, name: str) -> None:
        """Holds when no checkpoint is called so.

        Raises:
            CheckpointStands: One is.
        """
        if (self._directory / name).exists():
            raise CheckpointStands(name=name, node=self._node)

    def obstacles(self, user: str, size_bytes: int) -> list[str]:
        """Why no more can be kept, each in a sentence."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        found = []
        count = sum(row.user == user for row in self.rows())
        if count >= MAX_PER_USER:
            found.append(f"{user} has {count} checkpoints here, the most that are kept of a user")
        if size_bytes + RESERVE_BYTES > shutil.disk_usage(self._directory).free:
            mib = (size_bytes + RESERVE_BYTES) // 1024 // 1024
            found.append(f"{self._directory} has no room for {mib} MiB")
        return found

    def keep(self, images: Path, complete: Callable[[tuple[Image, ...]], Manifest]) -> Manifest:
        """Copies images to the disk, and the manifest that ``complete`` makes of them beside.

        Raises:
            CheckpointStands: One of that name is there.
            OSError: No room, or a broken disk; nothing is left.
        """
        part = self._directory / f"{_PART}{images.name}"
        remove_tree(part)
        try:
            (part / _IMAGES).mkdir(mode=0o700, parents=True)
            part.chmod(0o700)
            kept = tuple(
                _copy(path, part / _IMAGES / path.name) for path in sorted(images.iterdir())
            )
            manifest = complete(kept)
            _write(part / _MANIFEST, seal(manifest, self._key()))
            self.check_free(manifest.name)
            part.rename(self._directory / manifest.name)
        except BaseException:
            remove_tree(part)
            raise
        sync_folder(self._directory)
        _log.info("event=checkpoint-kept name=%s gpid=%d", manifest.name, manifest.row.gpid)
        return manifest

    def remove(self, name: str) -> None:
        """Removes one, whatever its state.

        Raises:
            CheckpointUnknown: There is none of that name.
        """
        if not is_checkpoint_name(name) or not (self._directory / name).is_dir():
            raise CheckpointUnknown(name=name)
        # Its name is free at once, and half of it is never seen as one.
        doomed = self._directory / f"{_PART}{name}"
        remove_tree(doomed)
        (self._directory / name).rename(doomed)
        remove_tree(doomed)

    def clear(self) -> None:
        """Removes what an agent before this one left half done."""
        if self._directory.is_dir():
            for path in self._directory.glob(f"{_PART}*"):
                remove_tree(path)

    def _names(self) -> list[str]:
        if not self._directory.is_dir():
            return []
        return [path.name for path in self._directory.iterdir() if is_checkpoint_name(path.name)]

    def _refused(self, name: str, reason: str) -> CheckpointRefused:
        return CheckpointRefused(name=name, node=self._node, reason=reason)


def credentials_of(images: Path) -> tuple[Credentials, ...]:
    """As whom the threads of these images run.

    Raises:
        BadImage: An image is not as we know it.
        OSError: It cannot be read.
    """
    return tuple(Credentials(*each) for each in read_image_credentials(images))


def _copy(source: Path, target: Path) -> Image:
    digest, size_bytes = sha256(), 0
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with source.open("rb", buffering=0) as read, os.fdopen(descriptor, "wb") as written:
        while chunk := read.read(_CHUNK_BYTES):
            digest.update(chunk)
            written.write(chunk)
            size_bytes += len(chunk)
        written.flush()
        os.fsync(descriptor)
    return Image(source.name, size_bytes, digest.digest())


def _digest(path: Path) -> tuple[int, bytes]:
    digest, size_bytes = sha256(), 0
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
    return size_bytes, digest.digest()


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
