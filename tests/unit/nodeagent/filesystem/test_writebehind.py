"""Writes that are said to be done before the server has them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from nodeagent.filesystem.fuse import abi, replies
from nodeagent.filesystem.fuse.requests import Header, Write
from nodeagent.filesystem.mount.beliefs import Beliefs
from nodeagent.filesystem.mount.handles import File
from nodeagent.filesystem.mount.keptwrites import SLOTS, KeptWrites
from nodeagent.filesystem.mount.memory import Memory
from nodeagent.filesystem.mount.nodes import Node
from nodeagent.filesystem.mount.options import MountOptions
from nodeagent.filesystem.mount.reopening import Answered
from nodeagent.filesystem.mount.writebehind import WriteBehind
from ssi.protocol import filerequests
from ssi.protocol.filereplies import Count
from ssi.protocol.filerequests import MAX_DATA_BYTES, FileRequest

MIB = MAX_DATA_BYTES
NUMBER = 5


class Mounted:
    """A mount whose kernel and server are the test."""

    def __init__(self, folder: Path) -> None:
        self.may_write_behind = True
        self.told: list[tuple[int, int]] = []
        """To which request of the kernel what was said: bytes, or a negative errno."""
        self.asked: list[tuple[int, bytes, Answered]] = []
        self.waiting: set[int] = set()
        self.memory = Memory(folder / "journal")
        self.kept = KeptWrites(folder / "writes")
        beliefs = Beliefs(self.memory.nodes, MountOptions())
        self.behind = WriteBehind(self, self, self.memory, beliefs, NUMBER, self.kept)
        self._last = 0

    def reply(self, header: Header, *parts: bytes | memoryview) -> None:
        self.waiting.discard(header.unique)
        size = int.from_bytes(bytes(parts[0])[:4], "little")
        assert parts == (replies.written(size),)
        self.told.append((header.unique, size))

    def fail(self, header: Header, error: int) -> None:
        self.waiting.discard(header.unique)
        self.told.append((header.unique, -error))

    def wait(self, header: Header) -> None:
        self.waiting.add(header.unique)

    def waits(self, header: Header) -> bool:
        return header.unique in self.waiting

    def ask_as(
        self, file: File, body: FileRequest, data: bytes | memoryview, then: Answered
    ) -> None:
        assert isinstance(body, filerequests.Write) and body.handle == file.handle
        self.asked.append((body.offset, bytes(data), then))

    def open(self, number: int = 1, flags: int = os.O_WRONLY, node: Node | None = None) -> File:
        nodes = self.memory.nodes
        if node is None:
            node = nodes.remember(nodes.root, b"f%d" % number, (1, number))
        file = File(number, 100 + number, node, flags, "u", "g")
        file.is_written = True
        self.memory.handles.files[number] = file
        self.memory.opened(file)
        self.memory.save()
        return file

    def write(
        self, file: File, offset: int, data: bytes, flags: int = 0, open_flags: int = 0
    ) -> int:
        """The number of the request; 0 where it has to wait for its answer."""
        self._last += 1
        header = Header(abi.Opcode.WRITE, self._last, file.node.number, 0, 0, 1)
        body = Write(file.number, offset, flags, memoryview(data), open_flags)
        return self._last if self.behind.take(header, file, body) else 0

    def answer(self, *outcome: int) -> None:
        """Answers the oldest: with what was written, and why no more was."""
        _, data, then = self.asked.pop(0)
        then(0, Count(*(outcome or (len(data),))))

    def refuse(self, error: int) -> None:
        self.asked.pop(0)[2](error, None)

    @property
    def offsets(self) -> list[int]:
        return [offset for offset, _, _ in self.asked]


def waited(mounted: Mounted, node: Node | None) -> tuple[bool, list[str]]:
    heard: list[str] = []
    then: Callable[[], None] = lambda: heard.append("now")  # noqa: E731
    return mounted.behind.when_answered(node, then), heard


def test_write_is_answered_while_it_is_on_its_way(tmp_path: Path) -> None:
    mounted = Mounted(tmp_path)
    number = mounted.write(mounted.open(), 7, b"x" * 5000)
    assert mounted.told == [(number, 5000)]
    assert [(offset, data) for offset, data, _ in mounted.asked] == [(7, b"x" * 5000)]


def test_files_first_write_waits(tmp_path: Path) -> None:
    mounted = Mounted(tmp_path)
    file = mounted.open()
    file.is_written = False
    assert not mounted.write(file, 0, b"x" * 5000)
    assert mounted.write(file, 5000, b"x" * 5000)


def test_what_may_not_be_written_behind_waits(tmp_path: Path) -> None:
    mounted = Mounted(tmp_path)
    file, data = mounted.open(), b"x" * 5000
    assert not mounted.write(file, 0, b"a line\n")
    assert not mounted.write(file, 0, data, flags=abi.WRITE_CACHE)
    for flag in (os.O_APPEND, os.O_SYNC, os.O_DSYNC, os.O_DIRECT):
        assert not mounted.write(file, 0, data, open_flags=os.O_WRONLY | flag)
        assert not mounted.write(mounted.open(2, os.O_WRONLY | flag), 0, data)
    mounted.may_write_behind = False
    assert not mounted.write(file, 0, data)
    assert not mounted.behind.is_busy and mounted.told == []


def test_more_is_under_way_the_quicker_answers_are(tmp_path: Path) -> None:
    mounted = Mounted(tmp_path)
    file, data = mounted.open(), b"x" * MIB
    numbers = [mounted.write(file, each * MIB, data) for each in range(6)]
    assert mounted.offsets == [0] and mounted.told == [(numbers[0], MIB)]
    mounted.answer()
    assert mounted.offsets == [MIB, 2 * MIB]
    mounted.answer()
    mounted.answer()
    assert mounted.offsets == [3 * MIB, 4 * MIB, 5 * MIB]
    assert mounted.told == [(number, MIB) for number in numbers]
    while mounted.asked:
        mounted.answer()
    assert not mounted.behind.is_busy and file.node.writes == 0


def test_no_two_that_overlap_are_under_way(tmp_path: Path) -> None:
    mounted = Mounted(tmp_path)
    file, other = mounted.open(1), mounted.open(2)
    same = mounted.open(3, node=file.node)
    mounted.write(file, 0, b"1" * 5000)
    mounted.write(other, 0, b"2" * 5000)
    mounted.write(same, 4999, b"3" * 5000)
    mounted.write(file, 9999, b"4" * 5000)
    assert mounted.offsets == [0, 0]
    mounted.answer()
    assert mounted.offsets == [0, 4999, 9999]


def test_failure_is_told_by_the_next_write_and_all_wait_from_then_on(tmp_path: Path) -> None:
    mounted = Mounted(tmp_path)
    file = mounted.open()
    for each in range(3):
        mounted.write(file, each * MIB, b"x" * MIB)
    mounted.refuse(errno.ENOSPC)
    assert mounted.told == [(1, MIB), (2, -errno.ENOSPC)]
    assert file.failure is not None and file.failure.error == errno.ENOSPC
    assert mounted.offsets == [2 * MIB]
    mounted.answer()
    assert mounted.told[2:] == [(3, MIB)]
    assert not mounted.write(file, 0, b"x" * MIB)
    assert not mounted.behind.is_busy


def test_write_that_was_cut_short_is_a_failure(tmp_path: Path) -> None:
    mounted = Mounted(tmp_path)
    for number, (outcome, error) in enumerate(
        (((4999, errno.EFBIG), errno.EFBIG), ((4999,), errno.EIO))
    ):
        file = mounted.open(number + 1)
        mounted.write(file, 0, b"x" * 5000)
        mounted.answer(*outcome)
        assert file.failure is not None and file.failure.error == error


def test_what_depends_on_writes_waits_for_those_that_are_there(tmp_path: Path) -> None:
    mounted = Mounted(tmp_path)
    one, other = mounted.open(1), mounted.open(2)
    assert waited(mounted, None) == (False, [])
    mounted.write(one, 0, b"x" * 5000)
    mounted.write(other, 0, b"x" * 5000)
    assert mounted.behind.keys() == {(1, 1), (1, 2)}
    (_, of_one), (_, of_all) = waited(mounted, one.node), waited(mounted, None)
    mounted.write(one, 5000, b"x" * 5000)
    assert (of_one, of_all) == ([], [])
    mounted.answer()
    assert (of_one, of_all) == (["now"], [])
    mounted.answer()
    assert (of_one, of_all) == (["now"], ["now"])
    mounted.answer()
    assert waited(mounted, one.node) == (False, [])


def test_attributes_of_a_file_that_is_written_are_not_believed(tmp_path: Path) -> None:
    mounted = Mounted(tmp_path)
    file = mounted.open()
    mounted.write(file, 0, b"x" * 5000)
    assert file.node.writes == 1
    changes = file.node.changes
    mounted.answer()
    assert file.node.writes == 0 and file.node.changes > changes


def test_interrupted_write_that_was_held_back_is_not_sent(tmp_path: Path) -> None:
    mounted = Mounted(tmp_path)
    file = mounted.open()
    mounted.write(file, 0, b"x" * MIB)
    number = mounted.write(file, MIB, b"x" * MIB)
    mounted.waiting.discard(number)
    mounted.answer()
    assert mounted.asked == [] and not mounted.behind.is_busy


def test_write_that_was_held_back_waits_where_the_server_is_gone(tmp_path: Path) -> None:
    mounted = Mounted(tmp_path)
    file = mounted.open()
    mounted.write(file, 0, b"x" * MIB)
    number = mounted.write(file, MIB, b"x" * MIB)
    mounted.may_write_behind = False
    mounted.answer()
    assert mounted.told == [(1, MIB)]
    mounted.answer()
    assert mounted.told == [(1, MIB), (number, MIB)]


def test_next_worker_sends_again_what_was_said_to_be_done(tmp_path: Path) -> None:
    first = Mounted(tmp_path)
    file = first.open()
    first.write(file, 0, b"0" * MIB)
    first.answer()
    for each in (1, 2, 3):
        first.write(file, each * MIB, b"%d" % each * MIB)
    assert [unique for unique, _ in first.told] == [1, 2, 3]
    second = Mounted(tmp_path)
    second.behind.recover()
    assert sorted((offset, data[:1]) for offset, data, _ in second.asked) == [
        (MIB, b"1"), (2 * MIB, b"2"),
    ]  # fmt: skip
    assert second.memory.handles.files[1].node.writes == 2
    second.answer()
    second.refuse(errno.EIO)
    assert not second.behind.is_busy and second.told == []
    third = Mounted(tmp_path)
    third.behind.recover()
    found = third.memory.handles.files[1]
    assert third.asked == [] and found.writes_through
    assert found.failure is not None and found.failure.error == errno.EIO


def test_another_mount_has_nothing_of_an_earlier_one_of_its_number(tmp_path: Path) -> None:
    first = Mounted(tmp_path)
    first.write(first.open(), 0, b"x" * 5000)
    second = Mounted(tmp_path)
    second.behind.forget()
    second.behind.recover()
    assert second.asked == []
    slots = [second.kept.take() for _ in range(SLOTS)]
    assert None not in slots


def test_write_waits_where_there_is_no_room_to_keep_it(tmp_path: Path) -> None:
    mounted = Mounted(tmp_path)
    file = mounted.open()
    slots = [mounted.kept.take() for _ in range(SLOTS)]
    assert not mounted.write(file, 0, b"x" * 5000)
    assert slots[0] is not None
    mounted.kept.give(slots[0])
    assert mounted.write(file, 0, b"x" * 5000)


def test_end_of_the_mount_gives_all_back(tmp_path: Path) -> None:
    mounted = Mounted(tmp_path)
    file = mounted.open()
    for each in range(3):
        mounted.write(file, each * MIB, b"x" * MIB)
    mounted.behind.close()
    mounted.refuse(errno.EIO)
    assert file.failure is None
    assert None not in [mounted.kept.take() for _ in range(SLOTS)]
