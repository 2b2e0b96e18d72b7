"""Files that another node removed, renamed or replaced while the kernel believes their names."""

from __future__ import annotations

import errno
import os
import stat
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.filesystem.fuse.abi import Opcode
from nodeagent.filesystem.mount.memory import Memory
from nodeagent.filesystem.mount.nodes import Node, Nodes
from nodeagent.filesystem.mount.secondlooks import KEPT_S, LED_ELSEWHERE, SecondLook, SecondLooks
from ssi.protocol.filereplies import ATTRIBUTES, Entry, Listing, Nothing, Opened
from ssi.protocol.filerequests import Open, Release
from tests.unit.nodeagent.filesystem.mounted import FILE, KEY, ROOT, Mounted

NAME = b"f\0"
FLAGS = os.O_WRONLY | os.O_TRUNC
OPEN = struct.pack("=II", FLAGS, 0)
GETATTR = struct.pack("=IIQ", 0, 0, 0)
FORGET = struct.pack("=Q", 1)


def entry(number: int, *, links: int = 1, mode: int = stat.S_IFREG) -> Entry:
    values = (number, 5, 0, 0, 0, 0, 0, 0, 0, mode | 0o644, links, 0, 0, 0, 4096, 0)
    return Entry(ATTRIBUTES.pack(*values), KEY[0])


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mounted]:
    mounted = Mounted(tmp_path)
    mounted.mount.handles.files.pop(FILE)
    mounted.answers()
    yield mounted
    mounted.close()


def refused(mounted: Mounted, error: int = 0, reply: Opened | None = None) -> None:
    """An open of which the server says that the path leads elsewhere."""
    opening = mounted.request(Opcode.OPEN, OPEN)
    assert mounted.kinds == ["Open"]
    mounted.answer(error, reply)
    assert mounted.answers() == {opening: errno.ESTALE}


def told_number(data: bytes) -> int:
    return int(struct.unpack_from("=Q", data)[0])


@pytest.mark.parametrize("error", sorted(LED_ELSEWHERE))
def test_file_that_is_gone_is_looked_up_again_and_may_be_made(mounted: Mounted, error: int) -> None:
    refused(mounted, error)
    looking = mounted.request(Opcode.LOOKUP, NAME, ROOT)
    assert mounted.kinds == ["Open"]
    mounted.answer(errno.ENOENT)
    assert mounted.kinds == ["Lookup"], "it may be what cannot be opened"
    mounted.answer(errno.ENOENT)
    [(number, (told, data))] = mounted.replies().items()
    assert (number, told, told_number(data)) == (looking, 0, 0), "there is none"
    again = mounted.request(Opcode.LOOKUP, NAME, ROOT)
    assert mounted.kinds == ["Lookup"], "nothing is left of it"
    mounted.answer(errno.EACCES)
    assert mounted.answers() == {again: errno.EACCES}


def test_what_the_second_look_finds_is_what_is_opened(mounted: Mounted) -> None:
    refused(mounted, reply=Opened(55, entry(8)))
    assert mounted.kinds == ["Release"]
    mounted.answer()
    mounted.request(Opcode.LOOKUP, NAME, ROOT)
    body = mounted.server.asked[0][0]
    assert isinstance(body, Open) and (body.path, body.flags) == (b"f", FLAGS)
    mounted.answer(reply=Opened(66, entry(9)))
    [(error, first)] = mounted.replies().values()
    assert error == 0
    # Linux forgets the inode that it did not expect, and looks once more.
    mounted.request(Opcode.FORGET, FORGET, told_number(first))
    mounted.request(Opcode.LOOKUP, NAME, ROOT)
    [(error, second)] = mounted.replies().values()
    assert (error, mounted.kinds) == (0, [])
    opening = mounted.request(Opcode.OPEN, OPEN, told_number(second))
    assert mounted.answers() == {opening: 0} and mounted.kinds == []
    [file] = mounted.mount.handles.files.values()
    assert (file.handle, file.node.key) == (66, (KEY[0], 9))
    assert not mounted.mount.second_looks


def test_what_nobody_comes_for_is_given_back(mounted: Mounted) -> None:
    refused(mounted, errno.ENOENT)
    mounted.request(Opcode.LOOKUP, NAME, ROOT)
    mounted.answer(reply=Opened(66, entry(9)))
    time.sleep(KEPT_S)
    mounted.mount.second_looks.tick()
    assert [body for body, _ in mounted.server.asked] == [Release(66)]
    assert not mounted.mount.second_looks


def test_only_who_was_refused_gets_it() -> None:
    told: list[Release] = []
    looks, nodes = SecondLooks(told.append), Nodes()
    node = nodes.remember(nodes.root, b"f", KEY)
    ada, eve = ("ada", "ada"), ("eve", "eve")
    looks.expect(node, os.O_RDONLY, ada)
    assert looks.of(nodes.root, b"f", eve) is None
    assert looks.of(nodes.root, b"g", ada) is None
    look = looks.of(nodes.root, b"f", ada)
    assert look is not None
    looks.begin(nodes.root, b"f")
    assert looks.of(nodes.root, b"f", ada) is None
    look.opened, look.node = Opened(66, entry(KEY[1])), node
    looks.found(nodes.root, b"f", look)
    assert looks.take(node, os.O_RDONLY, eve) is None
    assert looks.take(node, os.O_RDWR, ada) is None
    other = nodes.remember(nodes.root, b"other", (1, 99))
    assert looks.take(other, os.O_RDONLY, ada) is None
    assert looks.take(node, os.O_RDONLY, ada) is look
    assert looks.take(node, os.O_RDONLY, ada) is None and told == []


def test_those_of_a_server_that_has_forgotten_all_are_not_given_back() -> None:
    told: list[Release] = []
    looks, nodes = SecondLooks(told.append), Nodes()
    look = SecondLook(os.O_RDONLY, ("ada", "ada"), 0.0, Opened(66, entry(9)))
    looks.found(nodes.root, b"f", look)
    looks.forget()
    looks.tick()
    assert not looks and told == []


@pytest.mark.parametrize(("mode", "told"), [(stat.S_IFREG, errno.ESTALE), (stat.S_IFDIR, 2)])
def test_attributes_of_a_file_that_is_gone_have_its_name_looked_up(
    mounted: Mounted, mode: int, told: int
) -> None:
    """Linux asks for them on the way to open(2); a directory may be where the asker stands."""
    mounted.node.told = entry(KEY[1], mode=mode).attributes
    asking = mounted.request(Opcode.GETATTR, GETATTR)
    mounted.answer(errno.ENOENT)
    assert mounted.answers() == {asking: told}


def test_who_doubts_waits_until_the_kernel_has_forgotten_what_is_absent(mounted: Mounted) -> None:
    doubt = struct.pack("=II", 0, 0) + b"ssi.doubt\0"
    first = mounted.request(Opcode.GETXATTR, doubt, ROOT)
    assert mounted.answers() == {first: errno.ENODATA}
    mounted.request(Opcode.LOOKUP, NAME, ROOT)
    mounted.answer(errno.ENOENT)
    mounted.answers()
    second = mounted.request(Opcode.GETXATTR, doubt, ROOT)
    assert mounted.answers() == {}
    [callback] = mounted.loop.callbacks
    callback()
    assert mounted.answers() == {second: errno.ENODATA}


def looked_up(mounted: Mounted, name: bytes, found: Entry) -> Node:
    mounted.request(Opcode.LOOKUP, name + b"\0", ROOT)
    mounted.answer(reply=found)
    [(error, data)] = mounted.replies().values()
    assert error == 0
    return mounted.mount.nodes.get(told_number(data))


def test_old_name_of_a_file_that_another_node_has_renamed_opens_nothing(mounted: Mounted) -> None:
    renamed = looked_up(mounted, b"g", entry(KEY[1]))
    assert renamed is not mounted.node and mounted.mount.nodes.path(renamed) == b"g"
    opening = mounted.request(Opcode.OPEN, OPEN)
    asked = mounted.server.asked[0][0]
    assert isinstance(asked, Open) and asked.path == b"f", "and not what it is called now"
    mounted.answer(errno.ENOENT)
    assert mounted.answers() == {opening: errno.ESTALE}
    assert looked_up(mounted, b"g", entry(KEY[1])) is renamed


def test_names_of_one_file_are_one_inode(mounted: Mounted) -> None:
    assert looked_up(mounted, b"g", entry(KEY[1], links=2)) is mounted.node


@pytest.mark.parametrize(
    ("place", "is_same"), [(None, True), (4, False), (5, False)], ids=["bound", "other", "renamed"]
)
def test_directory_under_another_name_is_the_same_where_nothing_of_it_has_changed(
    place: int | None, is_same: bool
) -> None:
    nodes, mode = Nodes(), stat.S_IFDIR
    values = [7, 0, 0, 0, 0, 0, 0, 0, 0, mode | 0o755, 2, 0, 0, 0, 4096, 0]
    folder = nodes.remember(nodes.root, b"d", KEY)
    folder.told = ATTRIBUTES.pack(*values)
    child = nodes.remember(folder, b"f", (1, 8))
    if place is not None:
        values[place] = 5
    found = nodes.remember(nodes.root, b"e", KEY, ATTRIBUTES.pack(*values))
    assert (found is folder) is is_same
    assert nodes.path(child) == (b"e/f" if is_same else b"d/f")


def test_number_that_another_kind_of_file_had_is_another_inode() -> None:
    nodes = Nodes()
    old = nodes.remember(nodes.root, b"d", KEY)
    old.told = entry(KEY[1], mode=stat.S_IFDIR).attributes
    assert nodes.remember(nodes.root, b"d", KEY, old.told) is old
    assert nodes.remember(nodes.root, b"d", KEY, entry(KEY[1]).attributes) is not old


def test_directory_that_was_just_made_is_none_that_had_its_number(mounted: Mounted) -> None:
    mounted.node.told = entry(KEY[1], mode=stat.S_IFDIR).attributes
    mounted.request(Opcode.MKDIR, struct.pack("=II", 0o755, 0) + b"d\0", ROOT)
    mounted.answer(reply=entry(KEY[1], mode=stat.S_IFDIR))
    [(error, data)] = mounted.replies().values()
    made = mounted.mount.nodes.get(told_number(data))
    assert error == 0 and made is not mounted.node
    nodes = mounted.mount.nodes
    assert (nodes.path(made), nodes.path(mounted.node)) == (b"d", b"f")


@pytest.mark.parametrize("removed", [False, True])
def test_names_that_were_removed_since_a_listing_are_not_told_with_it(
    mounted: Mounted, removed: bool
) -> None:
    listing = Listing(0, [(b"g", entry(9))])
    mounted.request(Opcode.OPENDIR, struct.pack("=II", 0, 0), ROOT)
    mounted.answer(reply=listing)
    [(_, data)] = mounted.replies().values()
    handle = told_number(data)
    if removed:
        mounted.request(Opcode.UNLINK, b"g\0", ROOT)
        mounted.answer(reply=Nothing())
        mounted.answers()
    reading = struct.pack("=QQIIQII", handle, 2, 4096, 0, 0, 0, 0)
    mounted.request(Opcode.READDIRPLUS, reading, ROOT)
    [(error, data)] = mounted.replies().values()
    assert error == 0
    assert (told_number(data) == 0) is removed


def test_next_worker_knows_both_inodes_by_their_names(mounted: Mounted, tmp_path: Path) -> None:
    renamed = looked_up(mounted, b"g", entry(KEY[1]))
    again = Memory(tmp_path / "journal").nodes
    assert again.path(again.get(renamed.number)) == b"g"
    assert again.path(again.get(mounted.node.number)) == b"f"
