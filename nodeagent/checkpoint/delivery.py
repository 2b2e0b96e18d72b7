"""Images that lie on this node become a job on some node, by the steps of a move.

The node that has the images leads; the other side is the same as for a move, also where it is this
node itself. Until the job is resumed nothing runs; whatever fails before leaves nothing there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nodeagent.migration.describe import describe_parents
from nodeagent.migration.images import ImageReader
from nodeagent.migration.plan import Item
from nodeagent.migration.transfer import Courier, file_pieces
from nodeagent.peers import Peers
from ssi.model.checkpoint import CannotRestore
from ssi.model.errors import SsiError, first_error
from ssi.model.job import JobRow
from ssi.protocol.migration import (
    AbandonMigration,
    CompareFiles,
    FileMeta,
    FilesCompared,
    GetOwnership,
    MigrationPrepared,
    Ownership,
    PrepareMigration,
    RestoreJob,
    ResumeJob,
)

_log = logging.getLogger(__name__)

LOOK_TIMEOUT_S: Final = 120.0
RESTORE_TIMEOUT_S: Final = 600.0
RESUME_TIMEOUT_S: Final = 20.0
ROUNDS: Final = 10
"""How often a node that did not say whether it let the job run is asked again, each second."""


@dataclass(slots=True, kw_only=True)
class Parcel:
    """What is brought to life.

    Attributes:
        name: What people call it.
        row: The job as it will be: its node and its epoch are those to come.
        images: Directory of the images on this node.
        state: What a shim needs beside them.
        members: Inner pid, gpid and birth of each process.
        sources: Through what each data file can be read here; one that is nowhere must be there
            already.
        unpacks: The destination takes packed pieces.
        committed: What it was made of is dead, or about to be: nothing is given up any more.
        lost: Its node has said that it has nothing of it.
    """

    name: str
    row: JobRow
    images: Path
    uid: int
    gid: int
    criu: str
    cpu: bytes
    memory_bytes: int
    state: bytes = b""
    members: tuple[tuple[int, int, int], ...] = ()
    programs: tuple[FileMeta, ...] = ()
    files: tuple[FileMeta, ...] = ()
    directories: tuple[FileMeta, ...] = ()
    shared: tuple[str, ...] = ()
    listening: tuple[str, ...] = ()
    sources: dict[str, Item] = field(default_factory=dict)
    unpacks: bool = False
    committed: bool = False
    lost: bool = False

    @property
    def key(self) -> tuple[int, int]:
        """First gpid and epoch."""
        return (self.row.gpid, self.row.epoch)


class Delivery:
    """Leads parcels to their nodes.

    Args:
        node: Name of this node.
        peers: Links to the nodes, this one among them.
        leading: Where :mod:`~nodeagent.migration.doubt` is told of what is led.
    """

    def __init__(self, node: str, peers: Peers, leading: dict[int, tuple[int, str]]) -> None:
        self._node = node
        self._peers = peers
        self._leading = leading
        self._courier = Courier(peers)

    @asynccontextmanager
    async def leading(self, parcel: Parcel) -> AsyncIterator[None]:
        """Within this the destination waits for us; an error makes it drop what it was given.

        Raises:
            CannotRestore: Something stands in the way there.
            SsiError: The destination does not answer.
        """
        gpid, epoch = parcel.key
        destination = parcel.row.node
        self._leading[gpid] = (epoch, destination)
        try:
            try:
                await self._prepare(parcel)
                yield
            except ExceptionGroup as group:
                raise first_error(group) or group from group
        except BaseException:
            if parcel.committed:
                raise
            with suppress(SsiError):
                body = AbandonMigration(gpid=gpid, epoch=epoch)
                await self._peers.ask(destination, body, timeout_s=5.0)
            raise
        finally:
            self._leading.pop(gpid, None)

    async def carry(self, parcel: Parcel, metas: Sequence[FileMeta], *, frozen: bool) -> None:
        """Sends what the destination lacks of these files.

        Raises:
            CannotRestore: One is neither here nor, as it was, there.
            SsiError: The destination refuses one, or is silent.
        """
        if not metas:
            return
        gpid, epoch = parcel.key
        parents = describe_parents([meta.path for meta in metas if meta.path in parcel.sources])
        body = CompareFiles(gpid=gpid, epoch=epoch, files=(*parents, *metas), frozen=frozen)
        compared = await self._peers.ask(parcel.row.node, body, timeout_s=LOOK_TIMEOUT_S)
        assert isinstance(compared, FilesCompared), compared
        for meta, chunks in zip(metas, compared.missing[-len(metas) :], strict=True):
            source = parcel.sources.get(meta.path)
            if source is None and chunks:
                reason = f"{meta.path} is not on {self._node} any more"
                raise self._refused(parcel, [reason])
            if source is not None:
                pieces = file_pieces(source, chunks)
                await self._courier.send(parcel.row.node, parcel.key, pieces, packs=parcel.unpacks)

    async def restore(self, parcel: Parcel) -> None:
        """Sends the images, and has the job restored up to the barrier.

        Raises:
            SsiError: It was not.
        """
        reader = ImageReader(parcel.images)
        reader.written.set()
        await self._courier.send(parcel.row.node, parcel.key, reader.pieces(), packs=parcel.unpacks)
        body = RestoreJob(
            job=parcel.row,
            source=self._node,
            shim_state=parcel.state,
            images=tuple(reader.manifest.entries),
            members=parcel.members,
            files=parcel.files,
            directories=parcel.directories,
            revived=True,
        )
        await self._peers.ask(parcel.row.node, body, timeout_s=RESTORE_TIMEOUT_S)

    async def resume(self, parcel: Parcel) -> None:
        """Lets the job run.

        Raises:
            SsiError: It does not; a destination that stays silent drops it by itself.
        """
        gpid, epoch = parcel.key
        body = ResumeJob(gpid=gpid, epoch=epoch)
        try:
            await self._peers.ask(parcel.row.node, body, timeout_s=RESUME_TIMEOUT_S)
        except SsiError as exc:
            _log.warning("event=resume-unsure gpid=%d reason=%s", gpid, exc)
            for _ in range(ROUNDS):
                stage = await self._stage(parcel)
                if stage == "running":
                    return
                if stage == "none":
                    parcel.lost = True
                    break
                if stage == "ready":
                    with suppress(SsiError):
                        await self._peers.ask(parcel.row.node, body, timeout_s=RESUME_TIMEOUT_S)
                        return
                await asyncio.sleep(1.0)
            raise

    async def _stage(self, parcel: Parcel) -> str:
        """How far the destination came; empty where it does not answer."""
        gpid, epoch = parcel.key
        with suppress(SsiError):
            body = GetOwnership(gpid=gpid)
            reply = await self._peers.ask(parcel.row.node, body, timeout_s=3.0)
            assert isinstance(reply, Ownership), reply
            return reply.stage if reply.epoch == epoch else "none"
        return ""

    async def obstacles(self, parcel: Parcel) -> list[str]:
        """What stands in the way at the destination; nothing is made ready there.

        Raises:
            SsiError: It does not answer.
        """
        return list((await self._ask(parcel, dry_run=True)).blockers)

    async def _prepare(self, parcel: Parcel) -> None:
        reply = await self._ask(parcel, dry_run=False)
        parcel.unpacks = reply.unpacks and parcel.row.node != self._node
        if reply.blockers:
            raise self._refused(parcel, list(reply.blockers))

    async def _ask(self, parcel: Parcel, *, dry_run: bool) -> MigrationPrepared:
        body = PrepareMigration(
            job=parcel.row,
            source=self._node,
            criu=parcel.criu,
            uid=parcel.uid,
            gid=parcel.gid,
            cpu=parcel.cpu,
            programs=parcel.programs,
            image_bytes=parcel.memory_bytes,
            # Here they stand already, and may be written to until the job is held.
            files=() if parcel.row.node == self._node else parcel.files,
            shared=parcel.shared,
            listening=parcel.listening,
            dry_run=dry_run,
        )
        reply = await self._peers.ask(parcel.row.node, body, timeout_s=LOOK_TIMEOUT_S)
        assert isinstance(reply, MigrationPrepared), reply
        return reply

    def _refused(self, parcel: Parcel, blockers: list[str]) -> CannotRestore:
        return CannotRestore(name=parcel.name, destination=parcel.row.node, blockers=blockers)
