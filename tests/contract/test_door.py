"""The door with real sockets: who asks, and what a client that misbehaves gets."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ssi.client import connection as connection_module
from ssi.client.connection import Connection
from ssi.client.errors import DoorClosed
from ssi.model.errors import SsiError
from ssi.protocol import codec
from ssi.protocol.codec import BadMessage, VersionMismatch, encode_envelope, make_failure
from ssi.protocol.envelope import MAGIC, MAX_CONTROL_FRAME_BYTES, Failure, Reply, Request
from ssi.protocol.jobs import WriteStream
from ssi.protocol.message import Done
from ssi.protocol.refusals import NodeUnknown, TimedOut
from ssi.protocol.system import ListNodes
from ssi.transport import door as door_module
from ssi.transport.door import Door, DoorUnusable, DoorUser
from ssi.transport.frames import read_frame, write_frame
from tests.contract.wire import done, make_request, run

ME = pwd.getpwuid(os.getuid()).pw_name if os.getuid() else "root"


class House:
    """A door with somebody behind it who keeps what was asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[tuple[Request, DoorUser]] = []
        self.failure: SsiError | None = None
        self.waits: asyncio.Event | None = None
        self.left = 0
        self.door = Door(self.answer)

    async def answer(self, request: Request, user: DoorUser) -> Reply | Failure:
        self.asked.append((request, user))
        if self.waits is not None:
            try:
                await self.waits.wait()
            except asyncio.CancelledError:
                self.left += 1
                raise
        return make_failure(request.id, self.failure) if self.failure else done(request)

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(str(self.path))

    async def connection(self) -> Connection:
        return Connection(*await self.raw())


@asynccontextmanager
async def house(directory: Path, mode: int = 0o666) -> AsyncIterator[House]:
    made = House(directory / "door.sock")
    await made.door.open(made.path, mode)
    try:
        yield made
    finally:
        await made.door.close()


def test_asker_is_who_the_kernel_says_whatever_the_request_claims(tmp_path: Path) -> None:
    async def test() -> None:
        async with house(tmp_path) as h:
            reader, writer = await h.raw()
            for claimed in ("", "root", "somebody"):
                write_frame(writer, encode_envelope(make_request(caller=claimed)))
                assert await read_frame(reader, 1000)
            writer.close()
            await writer.wait_closed()
            assert [user for _request, user in h.asked] == [DoorUser(name=ME, uid=os.getuid())] * 3

    run(test())


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to be another user")
def test_another_user_is_known_as_such(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    nobody = pwd.getpwnam("nobody")

    def ask_as_nobody(path: Path, frame: bytes) -> int:
        child = os.fork()
        if child == 0:
            try:
                os.setresgid(nobody.pw_gid, nobody.pw_gid, nobody.pw_gid)
                os.setresuid(nobody.pw_uid, nobody.pw_uid, nobody.pw_uid)
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
                    asking.connect(str(path))
                    asking.sendall(len(frame).to_bytes(4, "big") + frame)
                    os._exit(0 if asking.recv(4) else 1)
            finally:
                os._exit(2)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    async def test() -> None:
        # The directories of a test are private; the socket goes where everybody may look.
        for parent in tmp_path.parents:
            if not parent.stat().st_mode & stat.S_IXOTH:
                parent.chmod(parent.stat().st_mode | stat.S_IXOTH)
        async with house(tmp_path) as h:
            frame = encode_envelope(make_request(caller="root"))
            assert await asyncio.to_thread(ask_as_nobody, h.path, frame) == 0
            assert [user.name for _request, user in h.asked] == ["nobody"]

    run(test())


@pytest.mark.parametrize("mode", [0o600, 0o666])
def test_socket_has_the_mode_that_was_asked_for(tmp_path: Path, mode: int) -> None:
    async def test() -> None:
        async with house(tmp_path, mode) as h:
            assert stat.S_IMODE(h.path.stat().st_mode) == mode

    before = os.umask(0)
    try:
        run(test())
    finally:
        os.umask(before)


def test_socket_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(tmp_path / "door.sock"))

    async def test() -> None:
        async with house(tmp_path) as h, await h.connection() as c:
            assert await c.ask(ListNodes()) == Done()

    run(test())


def test_path_that_is_too_long_is_an_error_of_ours(tmp_path: Path) -> None:
    async def test() -> None:
        long = tmp_path / ("d" * 120)
        long.mkdir()
        with pytest.raises(DoorUnusable, match="too long"):
            async with house(long):
                pass

    run(test())


def test_half_a_frame_harms_nobody_else(tmp_path: Path) -> None:
    async def test() -> None:
        async with house(tmp_path) as h, await h.connection() as c:
            _reader, writer = await h.raw()
            writer.write(b"\0\0\1\0half")
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            assert await c.ask(ListNodes()) == Done()

    run(test())


@pytest.mark.parametrize("length", [MAX_CONTROL_FRAME_BYTES + 1, 2**32 - 1])
def test_oversized_frame_ends_the_connection_and_no_other(tmp_path: Path, length: int) -> None:
    async def test() -> None:
        async with house(tmp_path) as h, await h.connection() as c:
            reader, writer = await h.raw()
            writer.write(length.to_bytes(4, "big"))
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
            assert await c.ask(ListNodes()) == Done()
            assert len(h.asked) == 1

    run(test())


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"SSI",
        b"GET / HTTP/1.1",
        MAGIC,
        MAGIC + b"\xc1",
        MAGIC + b"\x94\xa1f\xc4\x01x\xa2\xff\xff\x80",
    ],
)
def test_frame_that_is_no_request_is_answered_with_why_and_nothing_is_done(
    tmp_path: Path, frame: bytes
) -> None:
    async def test() -> None:
        async with house(tmp_path) as h:
            reader, writer = await h.raw()
            write_frame(writer, frame)
            answer = await read_frame(reader, 10_000)
            assert answer is not None
            failure = codec.decode_envelope(answer)
            assert isinstance(failure, Failure)
            assert failure.word == "bad-message"
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
            assert h.asked == []

    run(test())


def test_reply_where_a_request_belongs_ends_the_connection(tmp_path: Path) -> None:
    async def test() -> None:
        async with house(tmp_path) as h:
            reader, writer = await h.raw()
            write_frame(writer, encode_envelope(done(make_request())))
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
            assert h.asked == []

    run(test())


def test_agent_of_another_version_is_told_with_both_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is of version 2, the agent of version 1."""
    real_encode, real_decode = codec.encode_envelope, codec.decode_envelope

    def encode_v2(envelope: Request) -> bytes:
        return b"SSI\x02" + real_encode(envelope)[4:]

    def decode_v2(frame: bytes) -> Request | Reply | Failure:
        if frame[:4] != b"SSI\x02":
            raise VersionMismatch(ours=2, theirs=frame[3])
        return real_decode(MAGIC + frame[4:])

    monkeypatch.setattr(connection_module, "encode_envelope", encode_v2)
    monkeypatch.setattr(connection_module, "decode_envelope", decode_v2)

    async def test() -> None:
        async with house(tmp_path) as h, await h.connection() as c:
            for _ in range(2):
                with pytest.raises(VersionMismatch) as caught:
                    await c.ask(ListNodes())
                assert (caught.value.ours, caught.value.theirs) == (2, 1)
            assert h.asked == []

    run(test())


def test_failure_is_raised_as_the_error_that_it_was(tmp_path: Path) -> None:
    async def test() -> None:
        async with house(tmp_path) as h, await h.connection() as c:
            h.failure = NodeUnknown(node="n9", known="n1")
            with pytest.raises(NodeUnknown, match="n9"):
                await c.ask(ListNodes(), node="n9")

    run(test())


def test_many_connections_with_many_requests_are_all_answered(tmp_path: Path) -> None:
    async def test() -> None:
        async with house(tmp_path) as h:
            connections = [await h.connection() for _ in range(100)]
            replies = await asyncio.gather(
                *(
                    c.ask(ListNodes(), node=f"n{i}")
                    for i, c in enumerate(connections)
                    for _ in range(20)
                )
            )
            assert replies == [Done()] * 2000
            await asyncio.gather(*(c.close() for c in connections))

    run(test())


def test_more_requests_than_are_worked_on_wait_and_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "MAX_UNDER_WAY", 4)

    async def test() -> None:
        async with house(tmp_path) as h, await h.connection() as c:
            h.waits = asyncio.Event()
            asking = [asyncio.create_task(c.ask(ListNodes())) for _ in range(20)]
            while len(h.asked) < 4:
                await asyncio.sleep(0)
            h.waits.set()
            assert await asyncio.gather(*asking) == [Done()] * 20

    run(test())


def test_large_request_and_its_reply_arrive_whole(tmp_path: Path) -> None:
    async def test() -> None:
        async with house(tmp_path) as h, await h.connection() as c:
            data = os.urandom(1024 * 1024)
            await c.ask(WriteStream(gpid=1, offset=0, data=data, end=False, wait_ms=0))
            body = codec.decode_request_body(h.asked[0][0].body)
            assert isinstance(body, WriteStream)
            assert body.data == data

    run(test())


def test_client_that_leaves_is_not_worked_for_any_more(tmp_path: Path) -> None:
    async def test() -> None:
        async with house(tmp_path) as h:
            h.waits = asyncio.Event()
            c = await h.connection()
            asking = asyncio.create_task(c.ask(ListNodes()))
            while not h.asked:
                await asyncio.sleep(0)
            await c.close()
            with pytest.raises(DoorClosed):
                await asking
            while not h.left:
                await asyncio.sleep(0)

    run(test())


def test_closing_the_door_ends_every_visit(tmp_path: Path) -> None:
    async def test() -> None:
        async with house(tmp_path) as h:
            h.waits = asyncio.Event()
            c = await h.connection()
            idle = await h.connection()
            asking = asyncio.create_task(c.ask(ListNodes()))
            while not h.asked:
                await asyncio.sleep(0)
            await h.door.close()
            with pytest.raises(DoorClosed):
                await asking
            with pytest.raises(DoorClosed):
                await idle.ask(ListNodes())
            assert c.is_closed
            await asyncio.gather(c.close(), idle.close())

    run(test())


def test_silence_of_the_agent_is_bounded_and_the_connection_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "GRACE_S", 0.0)

    async def test() -> None:
        async with house(tmp_path) as h, await h.connection() as c:
            h.waits = asyncio.Event()
            with pytest.raises(TimedOut, match="n2 did not answer ListNodes within"):
                await c.ask(ListNodes(), node="n2", timeout_s=0.02)
            h.waits = None
            assert await c.ask(ListNodes()) == Done()

    run(test())


def test_two_askers_of_one_id_do_not_take_each_other_s_answer_away(tmp_path: Path) -> None:
    async def test() -> None:
        async with house(tmp_path) as h, await h.connection() as c:
            h.waits = asyncio.Event()
            first = asyncio.create_task(c.ask(ListNodes(), request_id=b"i" * 16))
            second = asyncio.create_task(c.ask(ListNodes(), request_id=b"i" * 16))
            while len(h.asked) < 2:
                await asyncio.sleep(0)
            first.cancel()
            await asyncio.wait([first])
            h.waits.set()
            assert await second == Done()

    run(test())


def test_agent_that_answers_nonsense_ends_the_connection_with_a_reason(tmp_path: Path) -> None:
    async def test() -> None:
        async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            write_frame(writer, b"nonsense")
            await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(babble, str(tmp_path / "s"))
        async with server:
            c = Connection(*await asyncio.open_unix_connection(str(tmp_path / "s")))
            with pytest.raises(BadMessage, match="no SSI at its start"):
                await c.ask(ListNodes())
            await c.close()

    run(test())
