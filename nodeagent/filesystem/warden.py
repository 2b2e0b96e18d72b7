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
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from nodeagent.files import replace_file
from nodeagent.filesystem.control import Control, Refused, serve_control
from nodeagent.filesystem.mount.options import MountOptions
from nodeagent.filesystem.mount.worker import run_worker
from nodeagent.filesystem.orders import MountOrder, MoveOrder, Order, UnmountOrder
from nodeagent.filesystem.points import Points
from nodeagent.filesystem.server.process import run_server
from nodeagent.keeper.backoff import Backoff
from nodeagent.mechanism import libc
from nodeagent.mechanism.loop import Loop
from nodeagent.places import Places
from ssi.model.files import MountRow
from ssi.model.node import Roster, RosterEntry

LOOK_S: Final = 0.5
"""How often the roster, and whether the node was taken down, are looked at."""

ANSWERED_S: Final = 0.05
"""Before this process becomes another, whoever asked is answered."""

_encoder: Final = msgspec.msgpack.Encoder()
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How files are served and mounted.

    Attributes:
        node: Name of this node.
        address: To listen on.
        port: Of the file server.
        base: Directory of the mounts, ``/ssi/n``.
        exports: File of exports.
        places: The agent's.
    """

    node: str
    address: str
    port: int
    base: Path
    exports: Path
    places: Places


@dataclass(eq=False, slots=True)
class Standing:
    """One mount."""

    number: int
    node: str
    point: str
    descriptor: int
    options: MountOptions
    entry: RosterEntry
    is_base: bool
    served: bool = False


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A mount, as it is handed to the program that this process becomes."""

    number: int
    node: str
    point: str
    descriptor: int
    options: MountOptions
    entry: RosterEntry
    is_base: bool


@dataclass(eq=False, slots=True)
class Child:
    """A process that is kept running."""

    name: str
    body: Callable[[socket.socket], None]
    pid: int = 0
    started_s: float = 0.0
    orders: socket.socket | None = None
    backoff: Backoff = field(default_factory=Backoff)


class Warden:
    """See the module."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop = Loop()
        self._folder = settings.places.files
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._points = Points(settings.base)
        self._mounts: dict[int, Standing] = {}
        self._last = 0
        self._roster: Roster | None = None
        self._roster_stamp = 0
        self._problem = ""
        self._ending = False
        self._worker = Child("worker", self._be_worker)
        self._server = Child("server", self._be_server)

    def run(self) -> None:
        """Runs until SIGTERM, or the node is taken down; then nothing of it is left."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.on_signal(number, self._end)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if not self._adopt():
            self._points.clear()
        gc.collect()
        gc.freeze()
        self._start(self._server)
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
        self._last += 1
        standing = Standing(self._last, node, point, descriptor, options, entry, is_base)
        self._mounts[standing.number] = standing
        self._journal(standing).unlink(missing_ok=True)
        if not self._worker.pid:
            self._start(self._worker)
        else:
            self._hand_over(standing)
        _log.info("event=mounted node=%s point=%s", node, point)
        return standing

    def unmount(self, standing: Standing) -> None:
        """Takes a mount away, whoever uses it."""
        del self._mounts[standing.number]
        self._order(UnmountOrder(number=standing.number))
        try:
            self._points.unmount(standing.point)
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
        try:
            stamp = self._settings.places.roster.stat().st_mtime_ns
        except FileNotFoundError:
            stamp = 0
        if stamp and stamp != self._roster_stamp:
            self._roster_stamp = stamp
            self._follow(self._settings.places.roster.read_bytes())
        self._loop.call_after(LOOK_S, self._look)

    def _follow(self, content: bytes) -> None:
        try:
            self._roster = msgspec.json.decode(content, type=Roster)
        except msgspec.DecodeError as exc:
            _log.warning("event=roster-unreadable reason=%s", exc)
            return
        for standing in list(self._mounts.values()):
            entry = self._roster.node(standing.node)
            if entry is None or entry.public_key != standing.entry.public_key:
                self.unmount(standing)
            elif entry != standing.entry:
                standing.entry = entry
                self._order(
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

    def _control(self, asked: Control) -> list[MountRow]:
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
        except OSError as exc:
            raise Refused(exc.strerror or str(exc)) from exc
        return self.rows()

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

    # Other code

    def _replace(self, lib: str) -> None:
        """Goes on as another program, with all mounts: it forks a worker that knows them."""
        self._ending = True  # what ends from now on is not started again
        for child in (self._worker, self._server):
            if child.pid:
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)  # whoever we become does not know of it
        kept = [
            Kept(
                number=each.number,
                node=each.node,
                point=each.point,
                descriptor=each.descriptor,
                options=each.options,
                entry=each.entry,
                is_base=each.is_base,
            )
            for each in self._mounts.values()
        ]
        replace_file(self._folder / "kept", msgspec.json.encode(kept), durable=False)
        for each in kept:
            os.set_inheritable(each.descriptor, True)
        command = list(sys.orig_argv)
        command[command.index("--name") - 1] = lib
        _log.info("event=replaced lib=%s", lib)
        os.execv(sys.executable, command)  # noqa: S606 - words, no shell

    def _adopt(self) -> bool:
        """Takes over what this process had before it became another program."""
        path = self._folder / "kept"
        try:
            kept = msgspec.json.decode(path.read_bytes(), type=list[Kept])
        except FileNotFoundError:
            return False
        path.unlink()
        for each in kept:
            if not _is_fuse(each.descriptor):
                return False  # left by a warden that died before it could go on
            os.set_inheritable(each.descriptor, False)
        for each in kept:
            self._mounts[each.number] = Standing(
                each.number, each.node, each.point, each.descriptor, each.options, each.entry,
                each.is_base, served=True,
            )  # fmt: skip
            self._last = max(self._last, each.number)
        self._points.is_prepared = True
        if kept:
            self._start(self._worker)
        return True

    # Processes

    def _start(self, child: Child) -> None:
        if self._ending:
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            self._be(child, theirs)
        theirs.close()
        ours.setblocking(False)
        if child.orders is not None:
            child.orders.close()
        child.pid, child.orders, child.started_s = pid, ours, time.monotonic()
        self._loop.on_exit(pid, lambda status: self._ended(child, status))
        _log.info("event=started process=%s pid=%d", child.name, pid)
        if child is self._worker:
            for standing in self._mounts.values():
                self._hand_over(standing)

    def _ended(self, child: Child, status: int) -> None:
        lived_s = time.monotonic() - child.started_s
        _log.warning("event=ended process=%s status=%d lived_s=%.1f", child.name, status, lived_s)
        child.pid = 0
        # What waits for a worker waits for as long: a first end is mended at once.
        delay_s = 0.0 if lived_s > 5.0 else child.backoff.delay_s(lived_s)
        self._loop.call_after(delay_s, lambda: self._start(child))

    def _be(self, child: Child, orders: socket.socket) -> None:
        """The life of a forked process; it shares no descriptor and no handler with us."""
        status = 1
        try:
            _leave_parent(orders.fileno())
            libc.end_with_parent()
            child.body(orders)
            status = 0
        except Exception:
            _log.exception("event=broke process=%s", child.name)
        finally:
            os._exit(status)

    def _be_worker(self, orders: socket.socket) -> None:
        run_worker(orders, self._settings.places.secret_key)

    def _be_server(self, _orders: socket.socket) -> None:
        settings = self._settings
        run_server(
            settings.node, settings.places, settings.address, settings.port, settings.exports,
            settings.base,
        )  # fmt: skip

    def _hand_over(self, standing: Standing) -> None:
        entry = standing.entry
        order = MountOrder(
            number=standing.number,
            journal=str(self._journal(standing)),
            options=standing.options,
            again=standing.served,
            node=entry.name,
            address=entry.address,
            port=entry.files_port,
            public_key=entry.public_key,
        )
        standing.served = True
        self._order(order, standing.descriptor)

    def _order(self, order: Order, *descriptors: int) -> None:
        if self._worker.orders is None or not self._worker.pid:
            return  # the next worker is told of all that is there
        try:
            socket.send_fds(self._worker.orders, [_encoder.encode(order)], list(descriptors))
        except (BrokenPipeError, ConnectionResetError, BlockingIOError) as exc:
            _log.warning("event=order-not-taken reason=%s", exc)

    def _journal(self, standing: Standing) -> Path:
        return self._folder / f"{standing.number}.journal"

    def _end(self) -> None:
        if self._ending:
            return
        self._ending = True
        for standing in list(self._mounts.values()):
            self.unmount(standing)
        self._points.clear()
        for child in (self._worker, self._server):
            if child.pid:
                os.kill(child.pid, signal.SIGTERM)
        self._loop.stop()


def _is_fuse(descriptor: int) -> bool:
    try:
        return Path(f"/proc/self/fd/{descriptor}").readlink() == Path("/dev/fuse")
    except OSError:
        return False


def _leave_parent(kept: int) -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.closerange(3, kept)
    os.closerange(kept + 1, 65536)
