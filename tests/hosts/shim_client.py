"""A synchronous client of keepers and shims, and a keeper without an agent, for tests."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from nodeagent.shim import messages as m
from nodeagent.shim.frames import FrameSplitter, decode_reply, encode_frame
from nodeagent.shim.keepermessages import ForkShim, ShimForked
from nodeagent.shim.streammessages import (
    Accepted,
    Data,
    Read,
    Write,
)
from ssi.lab import Host
from ssi.model.errors import SsiError
from ssi.model.job import StreamName, Terminal
from tests.hosts.system import PATIENCE_S

T = TypeVar("T", bound=m.ReplyMessage)

PROJECT = Path(__file__).parents[2]
FORGE = (
    "import gc, sys; sys.path.insert(0, sys.argv[1]);"
    "from pathlib import Path;"
    "from nodeagent.mechanism.loop import Loop;"
    "from nodeagent.keeper.forge import Forge;"
    "from nodeagent.shim.server import Server, listen;"
    "from nodeagent.mechanism.libc import become_subreaper; become_subreaper();"
    "import logging; logging.basicConfig(level=logging.WARNING);"
    "loop = Loop();"
    "Server(loop, listen(Path(sys.argv[2])), Forge(loop).handle);"
    "loop.watch(0, readable=loop.stop); gc.collect(); gc.freeze(); loop.run()"
)
"""The keeper's image and orders, without an agent to look after."""

ROOT = m.Account(user="root", uid=0, gid=0, groups=(0,))
ADA = m.Account(user="ada", uid=1000, gid=1000, groups=(1000,))
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root"}
CRIU = "/usr/sbin/criu"


class Client:
    """One connection to a keeper or a shim, one request at a time."""

    def __init__(self, path: Path) -> None:
        self._numbers = itertools.count(1)
        self._splitter = FrameSplitter()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(2 * PATIENCE_S)
        try:
            with descriptor_path(path) as short:
                self._socket.connect(short)
        except OSError:
            self._socket.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def send(self, frame: m.RequestFrame) -> None:
        """Asks something without waiting for the reply."""
        self._socket.sendall(encode_frame(frame))

    def ask(self, body: m.RequestMessage, kind: type[T]) -> T:
        """The reply, which must be of that kind.

        Raises:
            SsiError: The request failed.
        """
        number = next(self._numbers)
        self.send(m.RequestFrame(number, body))
        while True:
            data = self._socket.recv(1 << 20)
            if not data:
                raise ConnectionError("the peer ended")
            for frame in self._splitter.feed(data):
                reply = decode_reply(frame)
                assert reply.number == number
                if isinstance(reply.body, m.Failed):
                    raise SsiError.from_wire(reply.body.word, reply.body.fields)
                assert isinstance(reply.body, kind), reply.body
                return reply.body


class ShimClient(Client):
    """What tests ask of a shim."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._others: list[ShimClient] = []
        super().__init__(directory / "shim.sock")

    def another(self) -> ShimClient:
        """A second connection, which is closed with this one."""
        other = ShimClient(self.directory)
        self._others.append(other)
        return other

    def finish(self) -> None:
        """Leaves nothing of a job behind, and closes."""
        with suppress(OSError):  # its shim has ended already
            root = self.status().root_pid
            if root:
                os.kill(root, signal.SIGKILL)
                self.status(PATIENCE_S)
            self.release()
        self.close()

    def close(self) -> None:
        for other in self._others:
            other.close()
        super().close()

    def start(
        self,
        *argv: str,
        account: m.Account = ROOT,
        environment: dict[str, str] | None = None,
        cwds: tuple[str, ...] = ("/",),
        terminal: Terminal | None = None,
        logs: str = "",
        log_limit_bytes: int = 1 << 20,
        pid_base: int = 999,
        cgroup: str = "",
        lease_s: float = 0.0,
    ) -> m.Status:
        return self.ask(
            m.Start(
                account=account,
                argv=argv,
                environment=ENVIRONMENT if environment is None else environment,
                cwds=cwds,
                terminal=terminal,
                logs=logs,
                log_limit_bytes=log_limit_bytes,
                pid_base=pid_base,
                cgroup=cgroup,
                lease_s=lease_s,
            ),
            m.Status,
        )

    def status(self, wait_s: float = 0) -> m.Status:
        return self.ask(m.GetStatus(wait_ms=int(wait_s * 1000)), m.Status)

    def read(
        self,
        stream: StreamName = "stdout",
        offset: int = 0,
        *,
        wait_s: float = 10,
        limit_bytes: int = 1 << 20,
        peek: bool = False,
        modes: tuple[bool, bool] | None = None,
    ) -> Data:
        return self.ask(
            Read(
                stream=stream,
                offset=offset,
                limit_bytes=limit_bytes,
                wait_ms=int(wait_s * 1000),
                peek=peek,
                modes=modes,
            ),
            Data,
        )

    def read_all(self, stream: StreamName = "stdout", offset: int = 0) -> bytes:
        """Everything from ``offset`` to the end of the stream."""
        parts = []
        while True:
            data = self.read(stream, offset, wait_s=60)
            assert data.offset == offset, (data.offset, offset)
            parts.append(data.data)
            offset += len(data.data)
            if data.ended:
                return b"".join(parts)

    def read_until(self, what: bytes, stream: StreamName = "stdout", offset: int = 0) -> bytes:
        """The stream from ``offset`` on, once it holds ``what``."""
        held = b""
        deadline = time.monotonic() + PATIENCE_S
        while what not in held:
            assert time.monotonic() < deadline, held
            data = self.read(stream, offset + len(held), wait_s=5)
            held += data.data
            assert not data.ended or what in held, held
        return held

    def write(
        self, data: bytes, offset: int = 0, *, end: bool = False, wait_s: float = 10
    ) -> Accepted:
        return self.ask(
            Write(offset=offset, data=data, end=end, wait_ms=int(wait_s * 1000)), Accepted
        )

    def release(self) -> None:
        self.ask(m.Release(), m.Ok)

    def release_again(self) -> bool:
        """Whether the shim waits for another order now, on this connection."""
        return self.ask(m.Release(again=True), m.Ok).ready

    def order(self, directory: str, outside: Path) -> int:
        """Gives a shim that waits another directory, as it and as we name it; its pid."""
        pid = self.ask(ForkShim(directory=directory, namespaces=True), ShimForked).pid
        self.directory = outside
        return pid

    def dump(self, images: str) -> m.Dumped:
        return self.ask(m.Dump(criu=CRIU, images=images), m.Dumped)

    def thaw(self) -> None:
        self.ask(m.Thaw(), m.Ok)

    def commit(self) -> None:
        self.ask(m.Commit(), m.Ok)

    def restore(
        self, images: str, state: bytes, *, epoch: int = 2, logs: str = "", cgroup: str = ""
    ) -> m.Ready:
        return self.ask(
            m.Restore(criu=CRIU, images=images, state=state, cgroup=cgroup, epoch=epoch, logs=logs),
            m.Ready,
        )

    def resume(self) -> m.Resumed:
        return self.ask(m.Resume(), m.Resumed)

    def restore_here(self) -> m.Status:
        return self.ask(m.RestoreHere(), m.Status)


@contextmanager
def descriptor_path(path: Path) -> Iterator[str]:
    """A path to the same file that is short enough for a Unix socket."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


class ShimHost:
    """A keeper on a host of the lab, or on this machine (``root`` is ``/``).

    Attributes:
        work: A folder there, as the host names it; in memory.
        root: The host's files as this machine sees them.
    """

    def __init__(self, root: Path, work: str, keeper: subprocess.Popen[bytes]) -> None:
        self.root = root
        self.work = work
        self.keeper = keeper
        self._count = itertools.count(1)
        self._shims: list[ShimClient] = []

    def outside(self, path: str) -> Path:
        """A path of the host as this machine sees it."""
        return self.root / path.lstrip("/")

    def folder(self, name: str) -> str:
        """A fresh folder on the host."""
        path = f"{self.work}/{name}-{next(self._count)}"
        self.outside(path).mkdir(mode=0o700)
        return path

    def shim(self, *, namespaces: bool = True) -> ShimClient:
        """A fresh shim; its connection is closed with this object at the latest."""
        directory = self.folder("job")
        client = Client(self.outside(f"{self.work}/keeper.sock"))
        client.ask(ForkShim(directory=directory, namespaces=namespaces), ShimForked)
        client.close()
        shim = ShimClient(self.outside(directory))
        self._shims.append(shim)
        return shim

    def close(self) -> None:
        for shim in self._shims:
            shim.close()
        assert self.keeper.stdin is not None
        self.keeper.stdin.close()  # it ends with its input
        self.keeper.wait(PATIENCE_S)
        shutil.rmtree(self.outside(self.work))


@contextmanager
def keeper_here(work: Path, *, within: Sequence[str] = ()) -> Iterator[ShimHost]:
    """A keeper on this machine, within other namespaces by a command that enters or makes them."""
    argv = [*within, sys.executable, "-c", FORGE, str(PROJECT), str(work / "keeper.sock")]
    yield from _serve(Path("/"), str(work), argv)


@contextmanager
def keeper_on(host: Host, wheels: Path) -> Iterator[ShimHost]:
    """A keeper on a host of the lab, with our code and the wheels of its Python."""
    work = "/run/ssi-shims"
    inside = host.root / work.lstrip("/")
    shutil.rmtree(inside, ignore_errors=True)
    inside.mkdir()
    for package in ("ssi", "nodeagent"):
        ignored = shutil.ignore_patterns("__pycache__", "lab", "deploy", "cli")
        shutil.copytree(PROJECT / package, inside / "lib" / package, ignore=ignored)
    for wheel in wheels.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(inside / "lib")
    argv = [
        "nsenter", "--target", str(host.pid), "--all", "--root", "--wd",
        "python3", "-I", "-c", FORGE, f"{work}/lib", f"{work}/keeper.sock",
    ]  # fmt: skip
    yield from _serve(host.root, work, argv)


def _answers(path: Path) -> bool:
    """Whether somebody listens there: a socket has its name a moment before."""
    try:
        Client(path).close()
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    return True


def _serve(root: Path, work: str, argv: list[str]) -> Iterator[ShimHost]:
    keeper = subprocess.Popen(argv, stdin=subprocess.PIPE)
    host = ShimHost(root, work, keeper)
    deadline = time.monotonic() + 60
    while not _answers(host.outside(f"{work}/keeper.sock")):
        assert keeper.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield host
    finally:
        host.close()
