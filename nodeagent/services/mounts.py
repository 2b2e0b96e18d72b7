"""Mounts of other nodes' files, passed on to the warden, who has them."""

from __future__ import annotations

import asyncio

from nodeagent.dispatch import Audience, Caller, Dispatcher
from nodeagent.filesystem.control import Control, Refused, ask_warden
from nodeagent.filesystem.mount.options import MountOptions
from nodeagent.places import Places
from ssi.protocol.mounts import ListMounts, MountFiles, MountList, UnmountFiles
from ssi.protocol.refusals import MountRefused


class MountService:
    """Handlers for mounts.

    Args:
        node: Name of this node.
        places: Where the warden listens.
    """

    def __init__(self, node: str, places: Places) -> None:
        self._node = node
        self._places = places

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what belongs to mounts."""
        dispatcher.serve(MountFiles, self._mount, Audience.ROOT)
        dispatcher.serve(UnmountFiles, self._unmount, Audience.ROOT)
        dispatcher.serve(ListMounts, self._list)

    async def _mount(self, _caller: Caller, body: MountFiles) -> MountList:
        options = MountOptions(
            attributes_s=body.cache_s,
            names_s=body.cache_s,
            deadline_s=body.deadline_s,
            prefetch=body.cache_s > 0,
            write_behind=body.cache_s > 0,
        )
        point = body.point.rstrip("/")
        return await self._ask(Control(deed="mount", node=body.node, point=point, options=options))

    async def _unmount(self, _caller: Caller, body: UnmountFiles) -> MountList:
        return await self._ask(Control(deed="unmount", point=body.point.rstrip("/")))

    async def _list(self, _caller: Caller, _body: ListMounts) -> MountList:
        return await self._ask(Control(deed="list"))

    async def _ask(self, control: Control) -> MountList:
        try:
            outcome = await asyncio.to_thread(ask_warden, self._places.files_socket, control)
        except Refused as exc:
            raise MountRefused(node=self._node, reason=str(exc)) from exc
        except OSError as exc:
            reason = f"its warden does not answer: {exc.strerror or exc}"
            raise MountRefused(node=self._node, reason=reason) from exc
        return MountList(node=self._node, rows=tuple(outcome.rows))
