"""The warden: mounts, keeps what is mounted, and keeps worker and server running.

It holds each mount's descriptor of /dev/fuse, so a worker that dies takes no mount with it. It
imports all that the other two need, and forks them: they share its memory, and are back at once.
It never touches a path on a mount of its own.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from nodeagent.filesystem.child import Child
from nodeagent.filesystem.control import Control, Outcome, Refused, serve_control
from nodeagent.filesystem.mount.options import MountOptions
from nodeagent.filesystem.mount.worker import run_worker
from nodeagent.filesystem.orders import MountOrder, MoveOrder, UnmountOrder
from nodeagent.filesystem.points import Points
from nodeagent.filesystem.server.process import run_server
from nodeagent.filesystem.standing import Standing, hand_down, inherit
from nodeagent.mechanism.loop import Loop
from nodeagent.mechanism.ports import free_port
from nodeagent.places import Places
from ssi.model.files import MountRow
from ssi.model.node import Roster, RosterEntry
from ssi.model.unreadable import UNREADABLE
from ssi.transport.keys import KeyUnusable, load_key, load_or_make_key

LOOK_S: Final = 0.5
"""How often the roster, the key, and whether the node was taken down, are looked at."""

ANSWERED_S: Final = 0.05
"""Before this process becomes another, whoever asked is answered."""

COLLECTED: Final = (10_000, 50, 50)
"""How rarely the three processes look for what refers to itself. There is little of it, and to look
through the inodes of a large tree takes a worker 13 ms (20,000 of them), for which all wait."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How files are served and mounted.

    Attributes:
        node: Name of this node.
        address: To listen on.
        port: Of the file server.
        base: Directory of the mounts, ``/ssi/n``.
        clients: Directory of the mounts of machines that are no nodes, ``/ssi/c``.
        exports: File of exports.
        places: The agent's.
    """

    node: str
    address: str
    port: int
    base: Path
    clients: Path
    exports: Path
    places: Places


class Warden:
    """See the module."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop = Loop()
        self._folder = settings.places.files
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._kept = self._folder / "kept"
        self._points = Points(settings.base)
        self._client_points = Points(settings.clients, mode=0o700, reads_ahead=False)
        self._mounts: dict[int, Standing] = {}
        self._last = 0
        self._roster: Roster | None = None
        self._key = load_or_make_key(settings.places.secret_key)
        self._stamps = (0, 0)
        self._ending = False
        self._worker = Child(self._loop, "worker", self._be_worker, self._hand_over_all)
        self._server = Child(self._loop, "server", self._be_server)

    def run(self) -> None:
        """Runs until SIGTERM, or the node is taken down; then nothing of it is left."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.on_signal(number, self._end)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if not self._adopt():
            self._client_points.clear()
            self._points.clear()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECTED)
        self._server.start()
        serve_control(self._loop, self._settings.places.files_socket, self._control)
        self._look()
        self._loop.run()

    # Mounts

    def mount(self, node: str, point: str, options: MountOptions, *, is_base: bool) -> Standing:
        """Mounts a node's files.

        Raises:
            OSError: The kernel, or fusermount3, refused.
            KeyError: There is no such node, or it serves no files.
        """
        entry = self._roster.node(node) if self._roster is not None else None
        if entry is None or not entry.files_port:
            raise KeyError(node)
        descriptor = self._points.mount(point, f"ssi:{node}")
        return self._stand(Standing(0, node, point, descriptor, options, entry, is_base))

    def _stand(self, standing: Standing) -> Standing:
        """Lets the worker answer for what was just mounted."""
        self._last += 1
        standing.number = self._last
        self._mounts[standing.number] = standing
        self._journal(standing).unlink(missing_ok=True)
        if not self._worker.is_running:
            self._worker.start()
        else:
            self._hand_over(standing)
        _log.info("event=mounted node=%s point=%s", standing.node, standing.point)
        return standing

    def unmount(self, standing: Standing) -> None:
        """Takes a mount away, whoever uses it."""
        del self._mounts[standing.number]
        self._worker.order(UnmountOrder(number=standing.number))
        try:
            points = self._points if standing.client is None else self._client_points
            points.unmount(standing.point)
        except OSError as exc:
            _log.warning("event=not-unmounted point=%s reason=%s", standing.point, exc)
        os.close(standing.descriptor)
        self._journal(standing).unlink(missing_ok=True)
        _log.info("event=unmounted node=%s point=%s", standing.node, standing.point)

    def rows(self) -> list[MountRow]:
        """All mounts."""
        return [
            MountRow(node=each.node, point=each.point, problem="") for each in self._mounts.values()
        ]

    def standing_at(self, point: str) -> Standing | None:
        """The mount at a path."""
        return next((each for each in self._mounts.values() if each.point == point), None)

    def _look(self) -> None:
        if self._settings.places.down.exists():
            self._end()
            return
        places = self._settings.places
        stamps = (_stamp(places.roster), _stamp(places.secret_key))
        if stamps != self._stamps and stamps[0]:
            self._stamps = stamps
            self._follow(places.roster.read_bytes())
            self._follow_key()
        self._loop.call_after(LOOK_S, self._look)

    def _follow_key(self) -> None:
        """Worker and server have another key once the roster says that this node has it.

        Until then the others know this node by the one before, and its files go on with that.
        """
        try:
            key = load_key(self._settings.places.secret_key)
        except KeyUnusable:  # it was taken away, and the next agent makes another
            return
        entry = self._roster.node(self._settings.node) if self._roster is not None else None
        if entry is None or entry.public_key != key.public or key.public == self._key.public:
            return
        self._key = key
        _log.warning("event=key-renewed")
        for child in (self._worker, self._server):
            child.renew()

    def _follow(self, content: bytes) -> None:
        try:
            self._roster = msgspec.json.decode(content, type=Roster)
        except UNREADABLE as exc:
            _log.warning("event=roster-unreadable reason=%s", exc)
            return
        for standing in list(self._mounts.values()):
            if standing.client is not None:
                continue
            entry = self._roster.node(standing.node)
            if entry is None or entry.number != standing.entry.number:
                self.unmount(standing)
            elif entry != standing.entry:
                standing.entry = entry
                self._worker.order(
                    MoveOrder(
                        number=standing.number,
                        node=entry.name,
                        address=entry.address,
                        port=entry.files_port,
                        public_key=entry.public_key,
                    )
                )
        if self._points.problem:
            return
        try:
            self._points.prepare(self._settings.node)
            for entry in self._roster.nodes:
                self._mount_at_base(entry)
        except OSError as exc:
            _log.warning("event=not-mounted reason=%s", exc)

    def _mount_at_base(self, entry: RosterEntry) -> None:
        known = {each.node for each in self._mounts.values() if each.is_base}
        if entry.name not in {self._settings.node, *known} and entry.files_port:
            point = self._points.point_of(entry.name)
            self.mount(entry.name, point, MountOptions(), is_base=True)

    # What the agent asks

    def _control(self, asked: Control) -> Outcome:
        """Mounts, unmounts, or only tells.

        Raises:
            Refused: It cannot be done.
        """
        try:
            if asked.deed == "mount":
                self._mount_anywhere(asked)
            elif asked.deed == "unmount":
                standing = self.standing_at(asked.point)
                if standing is None:
                    raise Refused(f"nothing of ssi is mounted at {asked.point}")
                self.unmount(standing)
            elif asked.deed == "replace":
                self._loop.call_after(ANSWERED_S, lambda: self._replace(asked.lib))
            elif asked.deed == "receive":
                return Outcome(rows=self.rows(), port=self._receive(asked))
        except OSError as exc:
            raise Refused(exc.strerror or str(exc)) from exc
        return Outcome(rows=self.rows())

    def _mount_anywhere(self, asked: Control) -> None:
        if self._points.problem:
            raise Refused(self._points.problem)
        if asked.node == self._settings.node:
            raise Refused("a node does not mount its own files")
        point = asked.point or str(self._settings.base / asked.node)
        if self.standing_at(point) is not None:
            raise Refused(f"{point} is mounted already")
        if not asked.point:
            self._points.prepare(self._settings.node)
            self._points.point_of(asked.node)
        try:
            self.mount(asked.node, point, asked.options, is_base=not asked.point)
        except KeyError as exc:
            raise Refused(f"{asked.node} serves no files") from exc

    def _receive(self, asked: Control) -> int:
        """Mounts the files of a machine that is no node; the port on which the worker awaits it.

        Raises:
            OSError: The kernel refused.
            Refused: There is no FUSE here, or another machine has that name.
        """
        if self._client_points.problem:
            raise Refused(self._client_points.problem)
        point = str(self._settings.clients / asked.node)
        standing = self.standing_at(point)
        if standing is not None:
            if (standing.entry.public_key, standing.client) != (asked.public_key, asked.client):
                raise Refused(f"{asked.node} is the name of another machine")
            return standing.entry.files_port
        port = free_port(self._settings.address, 0)
        entry = RosterEntry(
            name=asked.node, number=0, public_key=asked.public_key, address=self._settings.address,
            control_port=0, bulk_port=0, files_port=port,
        )  # fmt: skip
        self._client_points.prepare()
        self._client_points.point_of(asked.node)
        descriptor = self._client_points.mount(point, f"ssi:{asked.node}")
        self._stand(
            Standing(
                0, asked.node, point, descriptor, asked.options, entry, is_base=False,
                client=asked.client,
            )
        )  # fmt: skip
        return port

    # Other code

    def _replace(self, lib: str) -> None:
        """Goes on as another program, with all mounts: it forks a worker that knows them."""
        self._ending = True
        for child in (self._worker, self._server):
            child.kill()  # whoever we become does not know of it
        hand_down(self._kept, self._mounts.values())
        command = list(sys.orig_argv)
        command[command.index("--name") - 1] = lib
        _log.info("event=replaced lib=%s", lib)
        os.execv(sys.executable, command)  # noqa: S606 - words, no shell

    def _adopt(self) -> bool:
        """Takes over what this process had before it became another program."""
        kept = inherit(self._kept)
        if kept is None:
            return False
        for standing in kept:
            self._mounts[standing.number] = standing
            self._last = max(self._last, standing.number)
        self._points.adopt()
        self._client_points.adopt()
        if kept:
            self._worker.start()
        return True

    # Processes

    def _be_worker(self, orders: socket.socket) -> None:
        run_worker(self._settings.node, orders, self._key)

    def _be_server(self, _orders: socket.socket) -> None:
        settings = self._settings
        run_server(
            settings.node, settings.places, self._key, settings.address, settings.port,
            settings.exports, settings.base,
        )  # fmt: skip

    def _hand_over_all(self) -> None:
        for standing in self._mounts.values():
            self._hand_over(standing)

    def _hand_over(self, standing: Standing) -> None:
        entry = standing.entry
        order = MountOrder(
            number=standing.number,
            journal=str(self._journal(standing)),
            options=standing.options,
            again=standing.served,
            client=standing.client,
            node=entry.name,
            address=entry.address,
            port=entry.files_port,
            public_key=entry.public_key,
        )
        standing.served = True
        self._worker.order(order, standing.descriptor)

    def _journal(self, standing: Standing) -> Path:
        return self._folder / f"{standing.number}.journal"

    def _end(self) -> None:
        if self._ending:
            return
        self._ending = True
        for standing in list(self._mounts.values()):
            self.unmount(standing)
        self._client_points.clear()
        self._points.clear()
        for child in (self._worker, self._server):
            child.end()
        self._loop.stop()


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
