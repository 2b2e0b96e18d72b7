"""Files read as streams, and followed as they grow, on this machine and on a node."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ssi.client.files import tailing
from ssi.client.files.errors import FileFailed, FilesSilent
from ssi.client.files.reading import contents
from ssi.client.files.remote import FileLost
from ssi.client.files.tailing import BLOCK_BYTES, Tail
from ssi.client.files.tree import Tree
from ssi.protocol import filerequests
from ssi.protocol.filerequests import FileRequest
from tests.contract.trees import Server, local_tree, remote_tree


@pytest.fixture(params=["here", "there"])
def tree(request: pytest.FixtureRequest) -> Tree:
    return local_tree() if request.param == "here" else remote_tree(Server())


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tailing, "POLL_S", 0.005)


@pytest.mark.parametrize("size", [0, 10, 128 * 1024 + 1, 5 * 1024 * 1024 + 17])
def test_contents_come_whole_and_in_order(tree: Tree, tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(size))

    async def read() -> bytes:
        return b"".join([bytes(each) async for each in contents(tree, os.fsencode(path))])

    assert asyncio.run(read()) == path.read_bytes()


@pytest.mark.parametrize(
    ("content", "lines", "expected"),
    [
        (b"a\nb\nc\n", 2, b"b\nc\n"),
        (b"a\nb\nc", 2, b"b\nc"),
        (b"a\nb\n", 5, b"a\nb\n"),
        (b"a\nb\n", 0, b""),
        (b"", 3, b""),
        (b"\n\n\n", 2, b"\n\n"),
        (b"x" * (2 * BLOCK_BYTES) + b"\nend\n", 2, b"x" * (2 * BLOCK_BYTES) + b"\nend\n"),
        (b"0\n" + b"x" * BLOCK_BYTES + b"\nend\n", 1, b"end\n"),
        (b"0\n" + (b"x" * 99 + b"\n") * 2000, 1500, (b"x" * 99 + b"\n") * 1500),
    ],
)
def test_last_lines(
    tree: Tree, tmp_path: Path, content: bytes, lines: int, expected: bytes
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)

    async def last() -> bytes:
        tail = Tail(tree, os.fsencode(path), print)
        return b"".join([each async for each in tail.last(lines)])

    assert asyncio.run(last()) == expected


@dataclass
class Following:
    """A file that is followed, and what was told of it."""

    tail: Tail
    stream: AsyncIterator[bytes]
    seen: bytes = b""
    notes: list[str] = field(default_factory=list)

    async def until(self, expected: bytes) -> None:
        """Reads until all that was seen is this."""
        async with asyncio.timeout(30):
            while self.seen != expected:
                assert expected.startswith(self.seen), self.seen
                self.seen += await anext(self.stream)


def followed(tree: Tree, path: Path) -> Following:
    notes: list[str] = []
    tail = Tail(tree, os.fsencode(path), notes.append)
    return Following(tail, tail.follow(), notes=notes)


def test_followed_file_is_rotated_cut_and_made_again(tree: Tree, tmp_path: Path) -> None:
    path, real = tmp_path / "log", tmp_path / "log.real"
    real.write_bytes(b"one\n")
    path.symlink_to(real)

    async def story() -> None:
        following = followed(tree, path)
        await following.until(b"one\n")
        with real.open("ab") as old:
            real.rename(tmp_path / "log.1")
            old.write(b"two\n")  # by a writer that has not heard of it
            old.flush()
            await following.until(b"one\ntwo\n")
            real.write_bytes(b"three\n")
            await following.until(b"one\ntwo\nthree\n")
        with real.open("ab") as new:
            new.write(b"four, and long\n")
            new.flush()
            await following.until(b"one\ntwo\nthree\nfour, and long\n")
        real.write_bytes(b"5\n")
        await following.until(b"one\ntwo\nthree\nfour, and long\n5\n")
        await following.tail.close()
        told = [note.partition(": ")[2] for note in following.notes]
        assert "another file has its name, and is read from its beginning" in told
        assert told[-1] == "it was cut, and is read from its beginning"

    asyncio.run(story())


def test_file_that_is_not_there_yet_is_waited_for(tree: Tree, tmp_path: Path) -> None:
    path = tmp_path / "log"

    async def story() -> None:
        following = followed(tree, path)
        first = asyncio.ensure_future(following.until(b"born\n"))
        async with asyncio.timeout(30):
            while not following.notes:
                await asyncio.sleep(0.001)
        assert following.notes[0].endswith("No such file or directory; waiting for it")
        path.write_bytes(b"born\n")
        await first

    asyncio.run(story())


def test_directory_is_not_waited_for(tree: Tree, tmp_path: Path) -> None:
    async def story() -> None:
        following = followed(tree, tmp_path)
        with pytest.raises(FileFailed):
            await anext(following.stream)

    asyncio.run(story())


def test_silent_node_and_a_restarted_server_cost_no_line(tmp_path: Path) -> None:
    """History: 1 the node falls silent; 2 it is back; 3 its server was restarted meanwhile."""
    path, server = tmp_path / "log", Server()
    path.write_bytes(b"one\n")
    troubles: list[Exception] = []

    def trouble(body: FileRequest) -> None:
        if isinstance(body, filerequests.Read) and troubles:
            raise troubles.pop(0)

    server.refuse = trouble

    async def story() -> None:
        following = followed(remote_tree(server), path)
        await following.until(b"one\n")
        troubles.extend([FilesSilent(node="n1", after_s=1), FilesSilent(node="n1", after_s=1)])
        troubles.append(FileLost(errno.ESTALE, "its server was restarted", "n1:"))
        with path.open("ab") as file:
            file.write(b"two\n")
        await following.until(b"one\ntwo\n")
        assert not troubles
        more = asyncio.ensure_future(anext(following.stream))
        async with asyncio.timeout(30):
            while len(following.notes) < 2:
                await asyncio.sleep(0.001)
        more.cancel()
        await asyncio.gather(more, return_exceptions=True)
        silent, back = following.notes
        assert silent.endswith("has not answered for 1 s; waiting for it")
        assert back.endswith("it is there again")

    asyncio.run(story())
