"""Images by a connection of their own: whole and in order, from who has the key, or not at all."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from nodeagent.direct.records import Broken
from nodeagent.mechanism.aesgcm import KEY_BYTES
from nodeagent.migration import imagelane
from nodeagent.migration.imagelane import Lane, Part
from nodeagent.migration.imagelaneend import LaneEnd
from nodeagent.migration.transfer import Courier
from nodeagent.peers import Peers
from ssi.model.shim import RestoreFailed
from ssi.protocol.message import Done, RequestMessage
from ssi.protocol.messages import ReplyBody
from ssi.protocol.migration import ImageLane, Piece, PutPieces
from ssi.protocol.refusals import LinkDown
from tests.unit.nodeagent.asking import run

PATIENCE_S = 30.0
HERE = "127.0.0.1"


class Images:
    """What came, by image; refuses pieces of one that is called ``full``."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}

    def take(self, part: Part, data: memoryview) -> None:
        if part.image == "full":
            raise RestoreFailed(reason="image full: No space left on device")
        known = self.data.get(part.image, b"")
        assert (part.offset, part.size) == (len(known), len(data))
        self.data[part.image] = known + bytes(data)


def messages(*pieces: Piece) -> Iterator[tuple[Piece, ...]]:
    return iter([pieces])


async def open_pair(images: Images) -> tuple[Lane, LaneEnd]:
    end = LaneEnd(images.take)
    lane = Lane(HERE, end.offer)
    assert await lane.is_open(PATIENCE_S)
    return lane, end


def test_images_arrive_whole_and_in_order() -> None:
    images = Images()
    memory = os.urandom(5 * 1024 * 1024 + 17)
    chunks = [memory[at : at + (1 << 20)] for at in range(0, len(memory), 1 << 20)]

    def read() -> Iterator[tuple[Piece, ...]]:
        yield (Piece("core", 0, b"one"), Piece("empty", 0, b""), Piece("core", 3, b"two"))
        for number, chunk in enumerate(chunks):
            yield (Piece("pages", number << 20, chunk),)

    async def test() -> None:
        lane, end = await open_pair(images)
        await lane.send(read())
        await end.wait()
        reading = lane.reading()
        assert reading is not None
        assert reading.acked_bytes > len(memory)
        lane.close()
        await end.close()

    run(test())
    assert images.data == {"core": b"onetwo", "empty": b"", "pages": memory}


def test_what_is_asked_about_has_been_taken_and_images_follow() -> None:
    images = Images()
    files = [Piece("/srv/a", number << 20, os.urandom(1 << 20)) for number in range(3)]

    async def test() -> None:
        lane, end = await open_pair(images)
        for piece in files:
            await lane.send(messages(piece), is_last=False)
            assert len(images.data["/srv/a"]) == piece.offset + len(piece.data)
        await lane.send(messages(Piece("core", 0, b"memory")))
        await end.wait()
        lane.close()
        await end.close()

    run(test())
    assert images.data == {"/srv/a": b"".join(each.data for each in files), "core": b"memory"}


def test_a_piece_that_is_refused_is_told_before_it_counts_as_taken() -> None:
    async def test() -> None:
        lane, end = await open_pair(Images())
        with pytest.raises(Broken):
            await lane.send(messages(Piece("full", 0, b"memory")), is_last=False)
        with pytest.raises(RestoreFailed, match="No space left"):
            end.check()
        with pytest.raises(Broken):
            await lane.send(messages(Piece("core", 0, b"memory")))
        lane.close()
        await end.close()

    run(test())


def test_an_end_that_takes_and_never_says_so_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(imagelane, "TAKEN_S", 0.05)
    images = Images()
    go_on = threading.Event()

    def take(part: Part, data: memoryview) -> None:
        go_on.wait(PATIENCE_S)
        images.take(part, data)

    async def test() -> None:
        end = LaneEnd(take)
        lane = Lane(HERE, end.offer)
        assert await lane.is_open(PATIENCE_S)
        with pytest.raises(Broken, match="timed out"):
            await lane.send(messages(Piece("/srv/a", 0, b"text")), is_last=False)
        go_on.set()
        lane.close()
        await end.close()

    run(test())


def test_who_has_another_key_is_not_let_in() -> None:
    images = Images()

    async def test() -> None:
        end = LaneEnd(images.take)
        stranger = Lane(HERE, msgspec.structs.replace(end.offer, key=bytes(KEY_BYTES)))
        assert not await stranger.is_open(PATIENCE_S)
        with pytest.raises(RestoreFailed, match="did not come to an end"):
            await end.wait()
        stranger.close()

    run(test())
    assert images.data == {}


def test_one_peer_is_taken_and_no_second() -> None:
    async def test() -> None:
        lane, end = await open_pair(Images())
        second = Lane(HERE, end.offer)
        assert not await second.is_open(PATIENCE_S)
        await lane.send(messages(Piece("core", 0, b"memory")))
        await end.wait()
        lane.close()
        second.close()

    run(test())


def test_where_nobody_listens_is_found_out_in_time() -> None:
    with socket.create_server((HERE, 0)) as listener:
        port = listener.getsockname()[1]

    async def test() -> None:
        lane = Lane(HERE, ImageLane(port, bytes(KEY_BYTES)))
        assert not await lane.is_open(PATIENCE_S)
        lane.close()

    run(test())


def test_a_silent_listener_is_not_waited_for() -> None:
    with socket.create_server((HERE, 0)) as listener:

        async def test() -> None:
            lane = Lane(HERE, ImageLane(listener.getsockname()[1], bytes(KEY_BYTES)))
            assert not await lane.is_open(0.05), "it has said nothing yet"
            assert not await lane.is_open(PATIENCE_S), "and is given up"
            lane.close()

        run(test())


def test_one_that_breaks_off_is_no_end() -> None:
    async def test() -> None:
        lane, end = await open_pair(Images())
        lane.close()
        with pytest.raises(RestoreFailed, match="did not come to an end"):
            await end.wait()

    run(test())


def test_nothing_is_written_once_the_end_is_closed() -> None:
    images = Images()
    memory = os.urandom(1 << 20)

    def endless() -> Iterator[tuple[Piece, ...]]:
        for number in range(1 << 20):
            yield (Piece("pages", number << 20, memory),)

    async def test() -> None:
        lane, end = await open_pair(images)
        sending = asyncio.ensure_future(lane.send(endless()))
        while not images.data:
            await asyncio.sleep(0.01)
        await end.close()
        size = len(images.data["pages"])
        with pytest.raises(Broken):
            await sending
        assert len(images.data["pages"]) == size
        lane.close()

    run(test())


def test_an_end_that_nobody_came_to_closes_at_once() -> None:
    async def test() -> None:
        end = LaneEnd(Images().take)
        began_s = time.monotonic()
        await end.close()
        assert time.monotonic() - began_s < PATIENCE_S
        lane = Lane(HERE, end.offer)
        assert not await lane.is_open(PATIENCE_S)
        lane.close()

    run(test())


def test_what_cannot_be_read_is_told() -> None:
    def read() -> Iterator[tuple[Piece, ...]]:
        yield (Piece("core", 0, b"memory"),)
        raise FileNotFoundError(2, "No such file or directory", "core")

    async def test() -> None:
        lane, end = await open_pair(Images())
        with pytest.raises(FileNotFoundError):
            await lane.send(read())
        lane.close()
        await end.close()

    run(test())


class Destination(Peers):
    """Says, when it is asked over CURVE, what became of the lane."""

    def __init__(self, end: LaneEnd) -> None:
        self._end = end
        self.asked: list[RequestMessage] = []

    async def ask(
        self, node: str, body: RequestMessage, *, timeout_s: float, request_id: bytes | None = None
    ) -> ReplyBody:
        self.asked.append(body)
        self._end.check()
        return Done()


def endless_image(name: str) -> Iterator[Piece]:
    for number in range(1 << 20):
        yield Piece(name, number << 20, bytes(1 << 20))


@pytest.mark.parametrize(
    ("image", "error"), [("full", RestoreFailed), ("pages", LinkDown)], ids=["refused", "cut"]
)
def test_why_a_lane_broke_is_asked_of_the_destination(image: str, error: type[Exception]) -> None:
    images = Images()

    async def test() -> None:
        lane, end = await open_pair(images)
        peers = Destination(end)
        sending = asyncio.ensure_future(
            Courier(peers).send("n2", (1, 2), endless_image(image), packs=False, lane=lane)
        )
        if error is LinkDown:
            while not images.data:
                await asyncio.sleep(0.01)
            lane.close()
        with pytest.raises(error):
            await sending
        assert peers.asked == [PutPieces(gpid=1, epoch=2, pieces=())]
        lane.close()
        await end.close()

    run(test())


def test_what_went_by_a_lane_is_counted() -> None:
    images = Images()
    pieces: Sequence[Piece] = [Piece("core", 0, b"one"), Piece("core", 3, b"two")]

    async def test() -> None:
        lane, end = await open_pair(images)
        peers = Destination(end)
        sent = await Courier(peers).send("n2", (1, 2), pieces, packs=True, lane=lane)
        await end.wait()
        assert (sent.size_bytes, sent.link_bytes, sent.packed_bytes) == (6, 6, 0)
        assert peers.asked == []
        lane.close()

    run(test())
    assert images.data == {"core": b"onetwo"}
