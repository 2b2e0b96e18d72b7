"""Attributes that are said to be set before the server has heard of it."""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.filesystem.fuse.abi import Opcode, Valid
from nodeagent.filesystem.mount.handles import File
from nodeagent.filesystem.mount.memory import Memory
from nodeagent.filesystem.mount.options import MountOptions
from nodeagent.filesystem.mount.setbehind import MAX_KINDS
from ssi.protocol.filereplies import ATTRIBUTES, Count
from ssi.protocol.filerequests import SetAttributes, Write
from tests.unit.nodeagent.filesystem.mounted import DATA, FILE, HANDLE, ROOT, Mounted, entry
from tests.unit.nodeagent.filesystem.test_ordering import NAME, OF_ALL, OF_INODE

MODE = stat.S_IFREG | 0o755
SECOND_NS = 1_000_000_000
FLUSH = struct.pack("=QIIQ", FILE, 0, 0, 5)
SYNC = struct.pack("=QII", FILE, 0, 0)
RELEASE = struct.pack("=QIIQ", FILE, 0, 0, 0)


def settings(valid: int, mode: int = 0, owner: int = 0, mtime_s: int = 0, size: int = 0) -> bytes:
    return struct.pack(
        "=IIQQQQQQIIIIIIII", valid, 0, 0, size, 0, mtime_s, mtime_s, 0, 7, 9, 0, mode, 0, owner,
        owner, 0,
    )  # fmt: skip


CHMOD = settings(Valid.MODE, mode=MODE)
CHOWN = settings(Valid.UID | Valid.GID | Valid.KILL_SUIDGID)
UTIMES = settings(Valid.ATIME | Valid.MTIME, mtime_s=1_000)
NOW = settings(Valid.ATIME | Valid.MTIME | Valid.ATIME_NOW | Valid.MTIME_NOW)


def made(folder: Path, options: MountOptions | None = None) -> Mounted:
    """A mount with a file that was made here and is open, on whose file system all can be set."""
    mounted = Mounted(folder, options)
    mounted.node.told = entry(0).attributes
    for payload in (CHMOD, CHOWN, UTIMES, NOW):
        number = mounted.request(Opcode.SETATTR, payload)
        assert mounted.kinds == ["SetAttributes"] and mounted.answers() == {}
        mounted.answer(reply=entry(0))
        assert mounted.answers() == {number: 0}
    mounted.node.maker = FILE
    mounted.mount.memory.opened(mounted.file)
    return mounted


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mounted]:
    mount = made(tmp_path)
    yield mount
    mount.close()


def taken(mounted: Mounted, payload: bytes) -> bool:
    """Whether that is answered at once; the server is not asked then."""
    before = mounted.kinds
    number = mounted.request(Opcode.SETATTR, payload)
    is_taken = mounted.answers() == {number: 0}
    assert not is_taken or mounted.kinds == before
    return is_taken


def test_what_is_set_one_after_the_other_is_one_question_when_the_file_is_closed(
    mounted: Mounted,
) -> None:
    assert all(taken(mounted, each) for each in (UTIMES, CHOWN, CHMOD))
    closed = mounted.request(Opcode.FLUSH, FLUSH)
    assert mounted.kinds == ["SetAttributes"] and mounted.answers() == {}
    asked = mounted.server.asked[0][0]
    times = 1_000 * SECOND_NS + 7, 1_000 * SECOND_NS + 9
    assert asked == SetAttributes(b"", HANDLE, MODE, "root", "root", None, *times)
    mounted.answer(reply=entry(0))
    assert mounted.answers() == {closed: 0}
    again = mounted.request(Opcode.FLUSH, FLUSH)
    assert mounted.kinds == [] and mounted.answers() == {again: 0}


def test_kernel_is_told_what_they_become_and_not_to_believe_it(mounted: Mounted) -> None:
    mounted.write(0)
    mounted.answer()
    mounted.answers()
    told = []
    for payload in (settings(Valid.MODE, mode=stat.S_IFREG | 0o6755), CHOWN, CHMOD, UTIMES):
        number = mounted.request(Opcode.SETATTR, payload)
        if mounted.kinds:  # of that kind the first
            mounted.answer(reply=entry(len(DATA)))
        told.append(mounted.replies()[number][1])
    valid_s, valid_ns, _ = struct.unpack_from("=QII", told[-1])
    assert (valid_s, valid_ns) == (0, 0)
    values = ATTRIBUTES.unpack(told[-1][16:])
    assert values[:2] == (7, len(DATA)) and values[9] == MODE and values[11:13] == (0, 0)
    assert values[3:5] == (1_000, 1_000) and values[6:8] == (7, 9)


def test_change_of_owner_takes_set_user_id_away(mounted: Mounted) -> None:
    values = list(ATTRIBUTES.unpack(entry(0).attributes))
    values[9] = stat.S_IFREG | 0o6755
    mounted.node.told = ATTRIBUTES.pack(*values)
    number = mounted.request(Opcode.SETATTR, CHOWN)
    told = ATTRIBUTES.unpack(mounted.replies()[number][1][16:])
    assert told[9] == MODE


def test_time_before_1970_is_told(mounted: Mounted) -> None:
    early = settings(Valid.ATIME | Valid.MTIME, mtime_s=(1 << 64) - 2)
    number = mounted.request(Opcode.SETATTR, early)
    told = ATTRIBUTES.unpack(mounted.replies()[number][1][16:])
    assert told[3:5] == ((1 << 64) - 2,) * 2 and told[6:8] == (7, 9)


def test_owner_is_not_joined_with_a_mode_that_was_set_before(mounted: Mounted) -> None:
    assert taken(mounted, CHMOD)
    owned = mounted.request(Opcode.SETATTR, CHOWN)
    first = mounted.server.asked[0][0]
    assert isinstance(first, SetAttributes) and (first.mode, first.owner) == (MODE, None)
    mounted.answer(reply=entry(0))
    assert mounted.answers() == {}
    second = mounted.server.asked[0][0]
    assert isinstance(second, SetAttributes) and (second.mode, second.owner) == (None, "root")
    mounted.answer(reply=entry(0))
    assert mounted.answers() == {owned: 0}


def test_one_time_after_both_leaves_the_other(mounted: Mounted) -> None:
    one = settings(Valid.MTIME, mtime_s=2_000)
    mounted.request(Opcode.SETATTR, one)
    mounted.answer(reply=entry(0))
    mounted.answers()
    assert taken(mounted, UTIMES) and taken(mounted, one)
    mounted.request(Opcode.FLUSH, FLUSH)
    asked = mounted.server.asked[0][0]
    assert isinstance(asked, SetAttributes)
    assert (asked.atime_ns, asked.mtime_ns) == (1_000 * SECOND_NS + 7, 2_000 * SECOND_NS + 9)


def test_failure_is_told_by_close_to_each_process_and_by_fsync(mounted: Mounted) -> None:
    assert taken(mounted, CHMOD)
    closed = mounted.request(Opcode.FLUSH, FLUSH)
    mounted.answer(errno.EPERM)
    assert mounted.answers() == {closed: errno.EPERM}
    other = mounted.request(Opcode.FLUSH, struct.pack("=QIIQ", FILE, 0, 0, 6))
    again = mounted.request(Opcode.FLUSH, FLUSH)
    assert mounted.answers() == {other: errno.EPERM, again: 0}
    written = mounted.write(0)
    assert mounted.answers() == {written: 0}, "what was written has not failed"
    mounted.answer()
    synced = mounted.request(Opcode.FSYNC, SYNC)
    assert mounted.answers() == {synced: errno.EPERM}


def test_after_a_failure_all_wait_again(mounted: Mounted) -> None:
    assert taken(mounted, CHMOD)
    mounted.request(Opcode.FSYNC, SYNC)
    mounted.answer(errno.EPERM)
    mounted.request(Opcode.FSYNC, SYNC)
    mounted.answer(reply=Count(0))
    assert mounted.file.failure is None
    mounted.answers()
    assert not taken(mounted, UTIMES)


@pytest.mark.parametrize("opcode", [*OF_INODE, *OF_ALL])
def test_request_waits_for_what_was_said_to_be_set(mounted: Mounted, opcode: Opcode) -> None:
    assert taken(mounted, UTIMES)
    payload, kind = {**OF_INODE, **OF_ALL}[opcode]
    if opcode is Opcode.SETATTR:
        payload = settings(Valid.SIZE)
    is_named = payload.endswith(b"\0") and opcode in OF_ALL and NAME in payload
    mounted.request(opcode, payload, ROOT if is_named or opcode is Opcode.STATFS else None)
    asked = mounted.server.asked[0][0]
    assert mounted.kinds == ["SetAttributes"]
    assert isinstance(asked, SetAttributes) and asked.mtime_ns is not None
    mounted.answer(reply=entry(0))
    assert mounted.kinds == [kind]


def test_write_comes_after_the_times_that_were_set_before(mounted: Mounted) -> None:
    assert taken(mounted, UTIMES)
    number = mounted.write(0)
    assert mounted.kinds == ["SetAttributes"]
    mounted.answer(reply=entry(0))
    assert mounted.kinds == ["Write"] and mounted.answers() == {}
    mounted.answer()
    assert mounted.answers() == {number: 0}


def test_times_are_set_after_the_writes_that_were_said_to_be_done(mounted: Mounted) -> None:
    number = mounted.write(0)
    assert mounted.answers() == {number: 0} and mounted.kinds == ["Write"]
    assert taken(mounted, UTIMES)
    closed = mounted.request(Opcode.FLUSH, FLUSH)
    assert mounted.kinds == ["Write"]
    mounted.answer()
    assert mounted.kinds == ["SetAttributes"] and mounted.answers() == {}
    mounted.answer(reply=entry(len(DATA)))
    assert mounted.answers() == {closed: 0}


def test_file_that_stays_open_is_set_a_moment_later(mounted: Mounted) -> None:
    number = mounted.write(0)
    assert mounted.answers() == {number: 0}
    mounted.loop.callbacks.clear()
    assert taken(mounted, UTIMES) and taken(mounted, CHMOD)
    (late,) = mounted.loop.callbacks
    late()
    assert mounted.kinds == ["Write"]
    mounted.answer()
    assert mounted.kinds == ["SetAttributes"]
    mounted.answer(reply=entry(0))
    assert mounted.kinds == [] and mounted.node.writes == 0
    late()
    assert mounted.kinds == []


def test_while_it_is_being_set_the_next_waits(mounted: Mounted) -> None:
    assert taken(mounted, UTIMES)
    mounted.loop.callbacks[-1]()
    number = mounted.request(Opcode.SETATTR, CHMOD)
    assert mounted.kinds == ["SetAttributes"] and mounted.answers() == {}
    mounted.answer(reply=entry(0))
    assert mounted.kinds == ["SetAttributes"]
    mounted.answer(reply=entry(0))
    assert mounted.answers() == {number: 0}


def test_handle_is_given_back_afterwards(mounted: Mounted) -> None:
    assert taken(mounted, CHMOD)
    released = mounted.request(Opcode.RELEASE, RELEASE)
    assert mounted.answers() == {} and FILE in mounted.mount.handles.files
    mounted.answer(reply=entry(0))
    assert mounted.answers() == {released: 0} and mounted.node.maker == 0
    assert not taken(mounted, CHMOD)


def test_name_of_a_file_is_looked_up_again(mounted: Mounted) -> None:
    number = mounted.request(Opcode.LOOKUP, NAME, ROOT)
    assert mounted.kinds == ["Lookup"] and taken(mounted, CHMOD)
    mounted.answer(reply=entry(0))
    assert mounted.answers() == {number: 0}, "what was set later need not be seen"
    again = mounted.request(Opcode.LOOKUP, NAME, ROOT)
    mounted.answer(reply=entry(0))
    assert mounted.kinds == ["SetAttributes"] and mounted.answers() == {}
    mounted.answer(reply=entry(0))
    mounted.answer(reply=entry(0))
    assert mounted.answers() == {again: 0}


def test_that_a_file_has_no_extended_attributes_is_told_at_once(mounted: Mounted) -> None:
    assert taken(mounted, UTIMES)
    name = struct.pack("=II", 0, 0) + b"security.capability\0"
    mounted.node.plain_until_s = 1e12
    number = mounted.request(Opcode.GETXATTR, name)
    assert mounted.answers() == {number: errno.ENODATA} and mounted.kinds == []
    mounted.node.plain_until_s = 0.0
    mounted.request(Opcode.GETXATTR, name)
    assert mounted.kinds == ["SetAttributes"]
    mounted.answer(reply=entry(0))
    assert mounted.kinds == ["GetExtended"]


def test_server_that_is_away_makes_close_fail(mounted: Mounted) -> None:
    assert taken(mounted, CHMOD)
    mounted.server.is_mute = True
    closed = mounted.request(Opcode.FLUSH, FLUSH)
    assert mounted.answers() == {closed: errno.EHOSTDOWN}
    assert not mounted.mount.settings.is_busy


@pytest.mark.parametrize(
    "change",
    ["other user", "closed", "sync", "size", "mute", "file system", "failed", "forgotten", "kind"],
)
def test_what_may_well_fail_waits(mounted: Mounted, change: str) -> None:
    payload = CHMOD
    file = mounted.file
    match change:
        case "other user":
            file.user = "ada"
        case "closed":
            mounted.node.maker = 0
        case "sync":
            file.flags |= os.O_SYNC
        case "size":
            payload = settings(Valid.SIZE | Valid.MODE, mode=MODE)
        case "mute":
            mounted.server.stands = False
        case "file system":
            mounted.node.key = (2, 7)
        case "failed":
            file.error = errno.EIO
        case "forgotten":
            file.is_lost = True
        case "kind":
            payload = settings(Valid.MODE, mode=stat.S_IFREG | 0o700)
    assert not taken(mounted, payload)
    assert mounted.kinds == ["SetAttributes"]


def test_strict_mount_waits(tmp_path: Path) -> None:
    mounted = made(tmp_path, MountOptions.strict())
    assert not taken(mounted, CHMOD)
    mounted.close()


def test_next_worker_sets_what_was_said_to_be_set(tmp_path: Path) -> None:
    first = made(tmp_path)
    assert taken(first, UTIMES) and taken(first, CHMOD)
    killed = Memory(tmp_path / "journal").handles.files[FILE]
    assert killed.setting is not None and killed.setting.mode == MODE

    second = Mounted(tmp_path)
    second.mount.handles.files[FILE] = killed
    second.mount.settings.recover()
    assert second.kinds == ["SetAttributes"]
    closed = second.request(Opcode.FLUSH, FLUSH, killed.node.number)
    assert second.answers() == {}
    second.answer(reply=entry(0))
    assert second.answers() == {closed: 0}
    second.mount.settings.recover()
    assert second.kinds == []
    second.close()
    first.close()


def test_kinds_are_bounded(mounted: Mounted) -> None:
    for number in range(2 * MAX_KINDS):
        asked = SetAttributes(b"f", mode=number)
        mounted.mount.settings.was_set(mounted.node, asked, "root")
    assert len(mounted.mount.settings._proven) <= MAX_KINDS


def test_two_files_are_set_before_a_name_is_made(mounted: Mounted) -> None:
    nodes = mounted.mount.nodes
    other = nodes.remember(nodes.root, b"other", (1, 8))
    other.told, other.maker = entry(0).attributes, FILE + 1
    file = File(FILE + 1, HANDLE + 1, other, os.O_RDWR, "root", "")
    mounted.mount.handles.files[FILE + 1] = file
    assert taken(mounted, CHMOD)
    number = mounted.request(Opcode.SETATTR, CHMOD, other.number)
    assert mounted.answers() == {number: 0}
    mounted.request(Opcode.CREATE, OF_ALL[Opcode.CREATE][0], ROOT)
    assert mounted.kinds == ["SetAttributes", "SetAttributes"]
    mounted.answer(reply=entry(0))
    assert mounted.kinds == ["SetAttributes"]
    mounted.answer(reply=entry(0))
    assert mounted.kinds == ["Create"]


def test_write_tells_up_to_where_a_file_reaches(mounted: Mounted) -> None:
    mounted.file.is_written = False
    mounted.write(4096)
    assert isinstance(mounted.server.asked[0][0], Write)
    mounted.answer()
    assert mounted.node.written_to == 4096 + len(DATA)
