"""Files of a job by the lane of its images: they are there, or it is told why not."""

from __future__ import annotations

import getpass
import grp
import itertools
import os
from pathlib import Path

import msgspec
import pytest

from nodeagent.job import Job
from nodeagent.mechanism.digest import sha256
from nodeagent.migration.arrival import Arrival
from nodeagent.migration.describe import CHUNK_BYTES
from nodeagent.migration.imagelane import Lane
from nodeagent.migration.imagelaneend import LaneEnd
from nodeagent.migration.intake import lane_for, take_in
from nodeagent.migration.landing import Landing
from nodeagent.migration.move import Move
from nodeagent.migration.packing import Packer
from nodeagent.migration.plan import Item, Plan
from nodeagent.migration.reason import leaf_of
from nodeagent.migration.sending import send_files
from nodeagent.migration.transfer import Courier, Sent
from nodeagent.peers import Peers
from nodeagent.services.members import Membership
from ssi.model.gpid import Gpid
from ssi.model.job import JobRow, JobState
from ssi.model.migration import FileConflict
from ssi.protocol.message import Done, RequestMessage
from ssi.protocol.messages import ReplyBody
from ssi.protocol.migration import FileMeta, PutPieces
from tests.unit.nodeagent.asking import run
from tests.unit.nodeagent.fulldisk import files_of_at_most

PATIENCE_S = 30.0
HERE = "127.0.0.1"
ROW = JobRow(
    gpid=15000001,
    node="n2",
    user="root",
    argv=("writer",),
    cwd="/",
    state=JobState.MIGRATING,
    start_ms=1,
    epoch=2,
)
DATA = os.urandom(2 * CHUNK_BYTES) + b"the rest"


class Destination(Peers):
    """Takes pieces that come over CURVE, and says what became of the lane."""

    def __init__(self, arrival: Arrival) -> None:
        self.arrival = arrival
        self.pieces = 0

    def read_bulk_link(self, node: str) -> None:
        return None

    async def ask(
        self, node: str, body: RequestMessage, *, timeout_s: float, request_id: bytes | None = None
    ) -> ReplyBody:
        assert isinstance(body, PutPieces)
        self.pieces += len(body.pieces)
        take_in(self.arrival, Packer(), body.pieces)
        return Done()


class Moving:
    """A job with one written file on its way between two directories."""

    def __init__(self, directory: Path) -> None:
        for name in ("images", "here"):
            (directory / name).mkdir()
        self.there = directory / "there"
        images = directory / "images"
        landing = Landing("n2", ROW.gpid, images)
        self.arrival = Arrival(row=ROW, source="n1", images=images, landing=landing)
        self.destination = Destination(self.arrival)
        # The job has it open, and nobody cares where it lies.
        self.file = directory / "here" / "data"
        self.file.write_bytes(DATA)
        item = Item(path=str(self.there), link=str(self.file), writable=True)
        numbers = itertools.count(1)
        job = Job(
            row=ROW,
            sockets=directory,
            record=directory,
            membership=Membership(lambda: Gpid(next(numbers))),
        )
        self.move = Move(
            job=job, destination="n2", row=ROW, images=images, plan=Plan(files=(item,))
        )
        chunks = [DATA[at : at + CHUNK_BYTES] for at in range(0, len(DATA), CHUNK_BYTES)]
        self.meta = FileMeta(
            path=str(self.there),
            kind="file",
            mode=0o640,
            user=getpass.getuser(),
            group=grp.getgrgid(os.getgid()).gr_name,
            size_bytes=len(DATA),
            mtime_ns=1_000_000_000,
            digests=tuple(sha256(chunk).digest() for chunk in chunks),
            writable=True,
        )

    async def open_lane(self) -> LaneEnd:
        end = lane_for(self.arrival, Packer())
        assert end is not None
        self.arrival.lane = end
        self.move.offer = end.offer
        self.move.lane = Lane(HERE, end.offer)
        assert await self.move.lane.is_open(PATIENCE_S)
        return end

    async def send(self, *, frozen: bool = False) -> Sent:
        missing = self.arrival.landing.missing_chunks(self.meta, frozen=frozen)
        courier = Courier(self.destination)
        return await send_files(courier, self.move, [(self.meta, missing)], frozen=frozen)

    def is_there(self) -> bool:
        self.arrival.landing.place([self.meta])
        return self.there.read_bytes() == DATA


@pytest.fixture
def moving(tmp_path: Path) -> Moving:
    return Moving(tmp_path)


def test_a_file_goes_by_the_lane_and_is_there_once_it_was_sent(moving: Moving) -> None:
    async def test() -> None:
        end = await moving.open_lane()
        sent = await moving.send()
        assert (sent.size_bytes, moving.destination.pieces) == (len(DATA), 0)
        assert await moving.send() == Sent(), "it has come, and is not sent again"
        assert moving.move.lane is not None
        moving.move.lane.close()
        await end.close()

    run(test())
    assert moving.is_there()


@pytest.mark.parametrize("why", ["older", "closed", "frozen"])
def test_over_curve_it_goes_where_the_lane_is_not_for_it(moving: Moving, why: str) -> None:
    """From an older destination, where a firewall closes the lane, and while images have it."""

    async def test() -> None:
        end = await moving.open_lane()
        assert moving.move.lane is not None and moving.move.offer is not None
        if why == "older":
            moving.move.offer = msgspec.structs.replace(moving.move.offer, files=False)
        elif why == "closed":
            moving.move.lane.close()
            await end.close()
            moving.move.lane = Lane(HERE, end.offer)
        sent = await moving.send(frozen=why == "frozen")
        assert (sent.size_bytes, moving.destination.pieces) == (len(DATA), 3)
        moving.move.lane.close()
        await end.close()

    run(test())
    assert moving.is_there()


def test_a_full_disk_is_told_by_name(moving: Moving) -> None:
    async def test() -> None:
        end = await moving.open_lane()
        missing = moving.arrival.landing.missing_chunks(moving.meta, frozen=False)
        wanted = [(moving.meta, missing)]
        with files_of_at_most(CHUNK_BYTES + 4096), pytest.raises(FileConflict) as refused:
            await send_files(Courier(moving.destination), moving.move, wanted, frozen=False)
        assert (refused.value.node, refused.value.path) == ("n2", str(moving.there))
        assert moving.move.lane is not None
        moving.move.lane.close()
        await end.close()
        moving.arrival.landing.undo()

    run(test())
    assert list(moving.there.parent.glob(".there*")) == []


def test_a_file_that_is_gone_is_told(moving: Moving) -> None:
    async def test() -> None:
        moving.file.unlink()
        with pytest.raises(BaseExceptionGroup) as told:
            await moving.send(frozen=True)
        assert isinstance(leaf_of(told.value), FileNotFoundError)

    run(test())


def test_a_file_that_is_closed_while_its_job_runs_is_left_to_the_next_look(moving: Moving) -> None:
    moving.move.files = moving.move.steady = {moving.meta.path: moving.meta}

    async def test() -> None:
        end = await moving.open_lane()
        moving.file.rename(moving.file.with_name("else"))
        assert await moving.send() == Sent()
        assert not moving.move.files
        assert not moving.move.steady, "or an unchanged one would never be sent"
        moving.file.with_name("else").rename(moving.file)
        sent = await moving.send(frozen=True)
        assert (sent.size_bytes, moving.is_there()) == (len(DATA), True)
        await end.close()

    run(test())
