"""What a checkpoint is, in words that only the node that made it can write. Pure.

The seal is a keyed BLAKE2b over the whole manifest; its key is derived from the node's secret key
and never leaves the node (``docs/adr/0008-checkpoints-are-sealed-by-their-node.md``).
"""

from __future__ import annotations

from typing import Final

import msgspec

from ssi.model.checkpoint import CheckpointRow
from ssi.model.job import JobRow
from ssi.model.unreadable import UNREADABLE
from ssi.protocol.migration import FileMeta

VERSION: Final = 1
_SEAL_BYTES: Final = 32


class Credentials(msgspec.Struct, frozen=True, array_like=True):
    """As whom one thread ran.

    Attributes:
        ids: Real, effective, saved and file system uid, each followed by its gid.
        capabilities: Inheritable, permitted, effective and bounding set.
    """

    thread: int
    ids: tuple[int, ...]
    capabilities: tuple[int, int, int, int]
    groups: tuple[int, ...] = ()


class Image(msgspec.Struct, frozen=True, array_like=True):
    """One file of the images; ``digest`` is its SHA-256."""

    name: str
    size_bytes: int
    digest: bytes


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint.

    Attributes:
        row: The job as it was.
        uid: Of its owner.
        gid: Likewise.
        criu: Version that made the images.
        cpu: What ``criu cpuinfo dump`` wrote.
        kernel: Release of the kernel.
        state: What a shim needs beside the images.
        members: Inner pid, gpid and birth of each process.
        programs: Must be the same where it is restored.
        files: What it had open, as it was then.
    """

    version: int
    name: str
    node: str
    row: JobRow
    made_ms: int
    kept: bool
    uid: int
    gid: int
    credentials: tuple[Credentials, ...]
    criu: str
    cpu: bytes
    kernel: str
    images: tuple[Image, ...]
    state: bytes
    members: tuple[tuple[int, int, int], ...]
    programs: tuple[FileMeta, ...] = ()
    files: tuple[FileMeta, ...] = ()
    directories: tuple[FileMeta, ...] = ()
    shared: tuple[str, ...] = ()
    listening: tuple[str, ...] = ()
    memory_bytes: int = 0

    def as_row(self) -> CheckpointRow:
        """What is shown of it."""
        return CheckpointRow(
            name=self.name,
            node=self.node,
            gpid=self.row.gpid,
            user=self.row.user,
            argv=self.row.argv,
            epoch=self.row.epoch,
            made_ms=self.made_ms,
            size_bytes=sum(image.size_bytes for image in self.images),
            kept=self.kept,
        )


class NotSealed(ValueError):
    """Bytes that this node did not write as a manifest."""


def seal_key(secret: str) -> bytes:
    """The key of seals, from which the node's secret key cannot be found."""
    from hashlib import blake2b

    return blake2b(secret.encode(), digest_size=32, person=b"ssi seal key").digest()


def seal(manifest: Manifest, key: bytes) -> bytes:
    """The manifest as it lies on the disk: its seal in hexadecimal, a line feed, JSON."""
    body = msgspec.json.encode(manifest)
    return _seal_of(body, key).hex().encode() + b"\n" + body + b"\n"


def unseal(data: bytes, key: bytes) -> Manifest:
    """The manifest that this node sealed.

    Raises:
        NotSealed: A byte is another one, another node wrote it, or it is of another version.
    """
    from hmac import compare_digest

    line, _, body = data.rstrip(b"\n").partition(b"\n")
    if not compare_digest(line, _seal_of(body, key).hex().encode()):
        raise NotSealed("its manifest does not bear the seal of this node")
    try:
        manifest = msgspec.json.decode(body, type=Manifest)
    except UNREADABLE as exc:
        raise NotSealed(f"its manifest is of another version of ssi: {exc}") from exc
    if manifest.version != VERSION:
        raise NotSealed(f"its manifest has version {manifest.version}, this node knows {VERSION}")
    return manifest


def misfit(manifest: Manifest, found: tuple[Credentials, ...]) -> str:
    """Why images are not those of the manifest's job: other credentials; empty where they are."""
    known = {each.thread: each for each in manifest.credentials}
    for each in found:
        if known.get(each.thread) != each:
            return f"thread {each.thread} has other credentials in the images than in the manifest"
    return "" if len(found) == len(known) else "the images are of other threads than the manifest"


def excess(manifest: Manifest, groups: frozenset[int]) -> str:
    """What its processes may do that its owner may not; empty where there is nothing.

    Args:
        manifest: Of a job of an ordinary user.
        groups: That the user is in today.
    """
    for each in manifest.credentials:
        uids, gids = set(each.ids[::2]), {*each.ids[1::2], *each.groups}
        if uids != {manifest.uid}:
            return f"thread {each.thread} runs as another uid than its owner's"
        if strange := sorted(gids - groups):
            return f"thread {each.thread} is in group {strange[0]}, in which its owner is not"
        if any(each.capabilities[:3]):
            return f"thread {each.thread} has capabilities"
    return ""


def _seal_of(body: bytes, key: bytes) -> bytes:
    from hashlib import blake2b

    return blake2b(body, digest_size=_SEAL_BYTES, key=key, person=b"ssi checkpoint").digest()
