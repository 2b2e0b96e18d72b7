"""The code that a host gets: two layers of plain files, named by their content.

The *agent* layer is what a node needs to be one; the *faces* layer makes the ``ssi`` command work
there too. Equal files give an equal name on every machine, so a host that has a layer already is
not sent it again, and half a layer is never taken for a whole one.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata

from ssi.deploy import contents
from ssi.deploy.contents import GRAMMAR, NODE_WHEELS, PROGRAMS, SHFMT
from ssi.deploy.errors import BundleIncomplete, NoWheel
from ssi.deploy.platform import Platform
from ssi.deploy.wheels import WheelStore

NAME_LENGTH = 24
"""Hexadecimal digits of a layer's hash that name its directory."""

BLOCK_BYTES = 4096


@dataclass(frozen=True)
class Layer:
    """A set of files, by path below ``lib/``.

    Attributes:
        files: With their content.
        lacks: Why something is left out that it works without; empty where it is whole.
    """

    files: Mapping[str, bytes]
    lacks: str = ""

    @cached_property
    def name(self) -> str:
        """The content, as a hash: layers of one name hold the same files."""
        digest = hashlib.sha256()
        for path in sorted(self.files):
            content = hashlib.sha256(self.files[path]).hexdigest()
            digest.update(f"{content} {path}\n".encode())
        return digest.hexdigest()[:NAME_LENGTH]

    @cached_property
    def archive(self) -> bytes:
        """The layer as it is sent: a gzipped tar, the same bytes for the same files."""
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for path in sorted(self.files):
                entry = tarfile.TarInfo(f"lib/{path}")
                entry.size = len(self.files[path])
                entry.mode = 0o755 if path.startswith(f"{PROGRAMS}/") else 0o644
                tar.addfile(entry, io.BytesIO(self.files[path]))
        # Level 1: a network is faster than level 9, and most of it is compressed well already.
        return gzip.compress(raw.getvalue(), compresslevel=1, mtime=0)

    @property
    def disk_bytes(self) -> int:
        """Of all files, unpacked, in the blocks of a file system."""
        return sum(-len(content) // BLOCK_BYTES * -BLOCK_BYTES for content in self.files.values())


class Bundler:
    """Makes the layers for each platform, once.

    Args:
        wheels: Where the libraries with machine code come from.
    """

    def __init__(self, wheels: WheelStore) -> None:
        self._wheels = wheels
        self._made: dict[str, Layer] = {}
        self._one_at_a_time = threading.Lock()

    def agent_layer(self, platform: Platform) -> Layer:
        """What a node needs to be one.

        Raises:
            NoWheel: A library has no build for that platform.
            BundleIncomplete: This installation lacks files.
        """
        return self._once(platform.key, lambda: self._make_agent_layer(platform))

    def faces_layer(self, platform: Platform) -> Layer:
        """What makes the command line work on a node.

        What only the shell uses is left out where there is no build of it for that platform.

        Raises:
            BundleIncomplete: This installation lacks files.
        """
        return self._once(f"faces {platform.key}", lambda: self._make_faces_layer(platform))

    def _once(self, key: str, make: Callable[[], Layer]) -> Layer:
        with self._one_at_a_time:
            if key not in self._made:
                self._made[key] = make()
            return self._made[key]

    def _make_agent_layer(self, platform: Platform) -> Layer:
        wanted = {name: metadata.version(name) for name in NODE_WHEELS}
        wheels = [contents.of_wheel(path) for path in self._wheels.get(wanted, platform)]
        return Layer(_merged([*wheels, contents.of_agent()]))

    def _make_faces_layer(self, platform: Platform) -> Layer:
        parts = [contents.of_installed(name) for name in contents.face_requirements()]
        lacks = []
        for take in (self._shfmt, self._grammar):
            try:
                parts += take(platform)
            except (BundleIncomplete, NoWheel) as exc:
                lacks.append(exc.what())
        return Layer(_merged([*parts, contents.of_faces()]), "; ".join(lacks))

    def _shfmt(self, platform: Platform) -> list[dict[str, bytes]]:
        """As it is installed here where it runs there, too: then no index is asked."""
        if platform.arch == os.uname().machine:
            return [contents.of_program(SHFMT)]
        return self._of_wheels([SHFMT], platform)

    def _grammar(self, platform: Platform) -> list[dict[str, bytes]]:
        return self._of_wheels(GRAMMAR, platform)

    def _of_wheels(self, names: Iterable[str], platform: Platform) -> list[dict[str, bytes]]:
        try:
            wanted = {name: metadata.version(name) for name in names}
        except metadata.PackageNotFoundError as exc:
            raise BundleIncomplete(package=exc.name or "", reason="it is not installed") from exc
        return [contents.of_wheel(path) for path in self._wheels.get_optional(wanted, platform)]


def _merged(parts: Iterable[Mapping[str, bytes]]) -> dict[str, bytes]:
    return {path: content for part in parts for path, content in part.items()}
