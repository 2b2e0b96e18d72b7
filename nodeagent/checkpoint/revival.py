"""A checkpoint of this node runs again: as the job that it was, or as another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import msgspec

from nodeagent.checkpoint.changes import changes, present, settled
from nodeagent.checkpoint.delivery import Delivery, Parcel
from nodeagent.checkpoint.dumping import elsewhere
from nodeagent.checkpoint.manifest import Manifest, excess
from nodeagent.checkpoint.store import Store
from nodeagent.dispatch import Caller
from nodeagent.mechanism import login
from nodeagent.peers import Peers
from ssi.model.checkpoint import CannotRestore, CheckpointRefused
from ssi.model.errors import SsiError
from ssi.model.gpid import Gpid
from ssi.model.job import JobRow, JobState
from ssi.protocol.checkpoints import JobRevived, LeaveJob, RestoreCheckpoint
from ssi.protocol.migration import GetOwnership, Ownership
from ssi.protocol.refusals import NotPermitted


class Reviver:
    """Restores checkpoints.

    Args:
        node: Name of this node.
        store: Its checkpoints.
        delivery: Brings them to their node.
        peers: Links to the nodes, this one among them.
        allocate: Gives a gpid that was never given before.
    """

    def __init__(
        self,
        node: str,
        store: Store,
        delivery: Delivery,
        peers: Peers,
        allocate: Callable[[], Gpid],
    ) -> None:
        self._node = node
        self._store = store
        self._delivery = delivery
        self._peers = peers
        self._allocate = allocate

    async def restore(self, caller: Caller, body: RestoreCheckpoint) -> JobRevived:
        """Restores one; returns once it runs.

        Raises:
            CheckpointUnknown: There is none of that name.
            CheckpointRefused: It is damaged, of other people, or of an old epoch.
            CannotRestore: Something stands in the way; nothing was started.
            SsiError: It was tried and came to nothing.
        """
        began_s = time.monotonic()
        manifest = await asyncio.to_thread(self._store.manifest, body.name)
        self.check_owner(caller, manifest)
        self._check_people(caller, manifest)
        others: list[str] = []
        if not body.as_new:
            others = await self._check_history(manifest)
        await asyncio.to_thread(self._store.check_images, manifest)
        found = elsewhere(manifest.row, body.destination, manifest.files)
        found += await asyncio.to_thread(changes, manifest.files, body.files)
        if found:
            raise CannotRestore(name=body.name, destination=body.destination, blockers=found)
        parcel = self._parcel(manifest, body)
        async with self._delivery.leading(parcel):
            try:
                parcel.files = await asyncio.to_thread(settled, manifest.files, body.files)
            except OSError as exc:
                found = [exc.strerror or str(exc)]
                raise CannotRestore(
                    name=parcel.name, destination=body.destination, blockers=found
                ) from exc
            await self._delivery.carry(parcel, parcel.files, frozen=True)
            await self._delivery.restore(parcel)
            await self._delivery.resume(parcel)
        gpid, epoch = parcel.key
        for node in others:
            if node != body.destination:
                with suppress(SsiError):  # then it tells of the job's first end as well
                    leave = LeaveJob(gpid=gpid, epoch=epoch, node=body.destination)
                    await self._peers.ask(node, leave, timeout_s=5.0)
        row = msgspec.structs.replace(parcel.row, state=JobState.RUNNING)
        return JobRevived(row=row, total_ms=(time.monotonic() - began_s) * 1000)

    def check_owner(self, caller: Caller, manifest: Manifest) -> None:
        """Holds when a checkpoint is the caller's.

        Raises:
            NotPermitted: It is another user's.
        """
        if not caller.is_root and caller.user != manifest.row.user:
            deed = f"touch checkpoint {manifest.name} of {manifest.row.user}"
            raise NotPermitted(node=self._node, user=caller.user, deed=deed)

    def _check_people(self, caller: Caller, manifest: Manifest) -> None:
        """Nobody gets back by a checkpoint what he may not do any more, or never might."""
        account = login.find_account(manifest.row.user)
        if account is None or account.uid != manifest.uid:
            reason = f"user {manifest.row.user} is not uid {manifest.uid} here any more"
            raise self._refused(manifest, reason)
        if not caller.is_root and account.uid != 0:
            reason = excess(manifest, frozenset({account.gid, *account.groups}))
            if reason:
                raise self._refused(manifest, f"{reason}; only root may restore it")

    async def _check_history(self, manifest: Manifest) -> list[str]:
        """Holds when the job has ended and did not go on after the checkpoint under a new owner.

        Returns:
            Nodes that remember its end.
        """
        nodes = [self._node, *(name for name in self._peers.names() if name != self._node)]
        body = GetOwnership(gpid=manifest.row.gpid)
        replies = await asyncio.gather(
            *(self._peers.ask(node, body, timeout_s=5.0) for node in nodes), return_exceptions=True
        )
        remember = []
        for node, reply in zip(nodes, replies, strict=True):
            if isinstance(reply, SsiError):
                reason = f"{node} may have the job and does not answer; --new makes another of it"
                raise self._refused(manifest, reason)
            if isinstance(reply, BaseException):
                raise reply
            assert isinstance(reply, Ownership), reply
            if reply.stage not in {"none", "moved"} and not reply.over:
                raise self._refused(manifest, f"its job lives on {node}; --new makes another of it")
            if reply.epoch > manifest.row.epoch:
                raise self._refused(
                    manifest,
                    f"it is of epoch {manifest.row.epoch} of its job, which came to epoch "
                    f"{reply.epoch} on {node}; --new makes another job of it",
                )
            if reply.over:
                remember.append(node)
        return remember

    def _parcel(self, manifest: Manifest, body: RestoreCheckpoint) -> Parcel:
        if body.as_new:
            row, members = renewed(manifest.row, body.destination, manifest.members, self._allocate)
        else:
            row = revived(
                manifest.row,
                node=body.destination,
                nodes=(*manifest.row.nodes, body.destination),
                epoch=manifest.row.epoch + 1,
            )
            members = manifest.members
        return Parcel(
            name=f"checkpoint {manifest.name}",
            row=row,
            images=self._store.images(manifest.name),
            uid=manifest.uid,
            gid=manifest.gid,
            criu=manifest.criu,
            cpu=manifest.cpu,
            memory_bytes=manifest.memory_bytes,
            state=manifest.state,
            members=members,
            programs=manifest.programs,
            files=manifest.files,
            directories=manifest.directories,
            shared=manifest.shared,
            listening=manifest.listening,
            sources=present(manifest.files),
        )

    def _refused(self, manifest: Manifest, reason: str) -> CheckpointRefused:
        return CheckpointRefused(name=manifest.name, node=self._node, reason=reason)


def revived(row: JobRow, **changes: object) -> JobRow:
    """A job that lives again: nobody waits for it at a pipe, so it is a detached one."""
    return msgspec.structs.replace(
        row,
        state=JobState.MIGRATING,
        detached=True,
        exit_status=None,
        killed_by=0,
        dumped_core=False,
        ended_ms=None,
        problem="",
        **changes,
    )


def renewed(
    row: JobRow,
    node: str,
    members: Iterable[tuple[int, int, int]],
    allocate: Callable[[], Gpid],
) -> tuple[JobRow, tuple[tuple[int, int, int], ...]]:
    """Another job with the same processes: every one of them gets a gpid of its own, born now."""
    born_ms = int(time.time() * 1000)
    fresh = {gpid: allocate() for _pid, gpid, _born_ms in members}
    gpid = fresh.get(row.gpid) or allocate()
    named = tuple((pid, fresh[old], born_ms) for pid, old, _born_ms in members)
    changed = revived(row, gpid=gpid, node=node, nodes=(node,), epoch=1, start_ms=born_ms)
    # The pipes of the first are its own: whoever reads it does not read the other, too.
    changed = msgspec.structs.replace(changed, stdin_from=None, readers=())
    return changed, named
