"""What CRIU asks for on its socket is had from the source, in order and whole."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from nodeagent.migration import pagerelay
from nodeagent.migration.pagerelay import ADD_PRESENT, GET, HEADER, PageRelay
from nodeagent.peers import Peers
from ssi.protocol.message import RequestMessage
from ssi.protocol.messages import ReplyBody
from ssi.protocol.migration import GetPages, Pages
from ssi.protocol.refusals import NoSuchProcess

MIB = 1 << 20
FORCE_CLOSE = 0x1024


class FakePeers(Peers):
    """A source whose memory holds, at each address, the number of its MiB."""

    def __init__(self, *, has_it: bool = True) -> None:
        self.has_it = has_it

    async def ask(
        self, node: str, body: RequestMessage, *, timeout_s: float, request_id: bytes | None = None
    ) -> ReplyBody:
        assert isinstance(body, GetPages)
        if not self.has_it:
            raise NoSuchProcess(gpid=body.gpid, detail="it is gone")
        return Pages(data=bytes([body.address // MIB]) * body.size_bytes)


async def talk(
    path: Path, peers: Peers, *asked: tuple[int, int], closes: bool = True
) -> tuple[bytes, list[str]]:
    """What comes back for addresses and numbers of pages, and what the agent is told."""
    told: list[str] = []
    over = asyncio.Event()

    async def lost(reason: str) -> None:
        told.append(reason)
        over.set()

    async def done() -> None:
        told.append("done")
        over.set()

    await PageRelay(peers, "n1", (15_000_001, 4), lost, done).open(path)
    reader, writer = await asyncio.open_unix_connection(path)
    for address, count in asked:
        writer.write(HEADER.pack(GET, count, address, 1000))
    if closes:
        writer.write(HEADER.pack(FORCE_CLOSE, 0, 0, 0))
    answer = await reader.read()
    await over.wait()
    writer.close()
    return answer, told


def test_each_request_is_answered_whole_and_in_order(tmp_path: Path) -> None:
    asked = ((3 * MIB, 300), (7 * MIB, 1))
    answer, told = asyncio.run(talk(tmp_path / "s", FakePeers(), *asked))
    first = HEADER.pack(ADD_PRESENT, 300, 3 * MIB, 1000) + b"\3" * MIB + b"\4" * (44 * 4096)
    second = HEADER.pack(ADD_PRESENT, 1, 7 * MIB, 1000) + b"\7" * 4096
    assert answer == first + second + bytes(4)
    assert told == ["done"]


def test_memory_that_cannot_be_had_is_told_before_criu_sees_the_end(tmp_path: Path) -> None:
    answer, told = asyncio.run(talk(tmp_path / "s", FakePeers(has_it=False), (MIB, 1)))
    assert answer == b""
    assert len(told) == 1 and told[0].startswith("n1 does not give it")


def test_nonsense_from_the_socket_loses_the_job(tmp_path: Path) -> None:
    _answer, told = asyncio.run(talk(tmp_path / "s", FakePeers(), (MIB, 1 << 40)))
    assert told == ["criu, which brings its memory, ended"]


def test_criu_that_asks_for_nothing_any_more_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pagerelay, "STALLED_S", 0.1)
    answer, told = asyncio.run(talk(tmp_path / "s", FakePeers(), (3 * MIB, 1), closes=False))
    assert len(answer) == HEADER.size + 4096
    assert told == ["criu, which brings its memory, does not ask for it any more"]
