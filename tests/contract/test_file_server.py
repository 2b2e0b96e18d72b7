"""What a file server does, and refuses to do, for whom."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import resource
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from msgspec import msgpack, structs

from nodeagent.filesystem.server import credentials
from nodeagent.filesystem.server.credentials import Identity
from ssi.protocol import filereplies, filerequests
from ssi.protocol.filereplies import ATTRIBUTES
from ssi.protocol.filerequests import DIGEST_CHUNK_BYTES
from tests.contract.deeds import Deeds

T = TypeVar("T")
NOBODY = Identity(user="nobody", uid=65534, gid=65534, groups=(65534,))


def as_identity(identity: Identity, deed: Callable[[], T]) -> T | OSError:
    """What a deed gives in a thread that is somebody else."""
    found: list[T | OSError] = []

    def run() -> None:
        credentials.become(identity)
        try:
            found.append(deed())
        except OSError as exc:
            found.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    return found[0]


def test_write_that_is_cut_short_tells_why(deeds: Deeds) -> None:
    opened = deeds.ask(filerequests.Create(b"rw/f", os.O_RDWR, 0o640))
    assert isinstance(opened, filereplies.Opened)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4, limits[1]))
    try:
        told = deeds.ask(filerequests.Write(opened.handle, 2), b"abc")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert told == filereplies.Count(2, errno.EFBIG)
    deeds.ask(filerequests.Release(opened.handle))


def test_file_is_made_written_read_renamed_and_removed(deeds: Deeds) -> None:
    opened = deeds.ask(filerequests.Create(b"rw/f", os.O_RDWR, 0o640))
    assert isinstance(opened, filereplies.Opened)
    values = ATTRIBUTES.unpack(opened.entry.attributes)
    assert stat.S_ISREG(values[9])
    assert deeds.ask(filerequests.Write(opened.handle, 3), b"abc") == filereplies.Count(3)
    assert deeds.read(filerequests.Read(opened.handle, 0, 100)) == b"\0\0\0abc"
    deeds.ask(filerequests.Rename(b"rw/f", b"rw/g"))
    deeds.ask(filerequests.SetAttributes(b"rw/g", mode=0o600, size=4, mtime_ns=5))
    deeds.ask(filerequests.Unlink(b"rw/g"))
    entry = deeds.ask(filerequests.GetAttributes(opened.handle))
    assert isinstance(entry, filereplies.Entry)
    values = ATTRIBUTES.unpack(entry.attributes)
    assert (values[1], values[7], values[10]) == (4, 5, 0), "size, mtime and nlink, without a name"
    deeds.ask(filerequests.Release(opened.handle))
    assert deeds.refused(filerequests.GetAttributes(opened.handle)) == errno.EBADF


@pytest.mark.parametrize(
    ("made", "removed"),
    [
        (filerequests.MakeNode(b"rw/x", stat.S_IFREG | 0o600), filerequests.Unlink(b"rw/x")),
        (filerequests.MakeDirectory(b"rw/x", 0o700), filerequests.RemoveDirectory(b"rw/x")),
        (filerequests.MakeSymlink(b"rw/x", b"to"), filerequests.Unlink(b"rw/x")),
    ],
)
def test_answer_to_a_change_of_names_has_what_the_directory_has_become(
    deeds: Deeds, made: filerequests.FileRequest, removed: filerequests.FileRequest
) -> None:
    for change in (made, removed):
        reply = deeds.ask(change)
        assert isinstance(reply, filereplies.Entry | filereplies.Nothing)
        folder = deeds.ask(filerequests.Lookup(b"rw"))
        assert isinstance(folder, filereplies.Entry)
        assert reply.above == folder.attributes


def test_file_is_plain_until_it_has_an_extended_attribute(deeds: Deeds) -> None:
    def entries() -> list[filereplies.Entry]:
        opened = deeds.ask(filerequests.Open(b"rw/f", os.O_WRONLY))
        assert isinstance(opened, filereplies.Opened)
        listing = deeds.ask(filerequests.OpenDirectory(b"rw"))
        assert isinstance(listing, filereplies.Listing)
        asked = deeds.ask(filerequests.GetAttributes(opened.handle))
        looked_up = deeds.ask(filerequests.Lookup(b"rw/f"))
        assert isinstance(asked, filereplies.Entry)
        assert isinstance(looked_up, filereplies.Entry)
        return [opened.entry, asked, looked_up, dict(listing.entries)[b"f"]]

    created = deeds.ask(filerequests.Create(b"rw/f", os.O_RDWR, 0o640))
    assert isinstance(created, filereplies.Opened)
    assert all(entry.plain for entry in [created.entry, *entries()])
    deeds.ask(filerequests.SetExtended(b"rw/f", b"user.colour", b"red"))
    assert not any(entry.plain for entry in entries())


def test_small_file_is_put_in_one_step_or_not_at_all(deeds: Deeds) -> None:
    target = deeds.root / "rw/f"
    body = filerequests.Put(b"rw/f", b"rw/.f", 0o640, atime_ns=1, mtime_ns=5)
    entry = deeds.ask(body, b"abc")
    assert isinstance(entry, filereplies.Entry)
    assert target.read_bytes() == b"abc"
    assert (stat.S_IMODE(target.stat().st_mode), target.stat().st_mtime_ns) == (0o640, 5)
    for refused, error in (
        (structs.replace(body, exclusive=True), errno.EEXIST),
        (structs.replace(body, owner="nobody-of-that-name"), errno.EINVAL),
        (structs.replace(body, temporary=b"ro/.f"), errno.EXDEV),
        (structs.replace(body, path=b"ro/f", temporary=b"ro/.f"), errno.EROFS),
        (structs.replace(body, path=b"rw/../f", temporary=b"rw/../.f"), errno.EINVAL),
    ):
        assert deeds.refused(refused) == error
    assert target.read_bytes() == b"abc"
    assert os.listdir(deeds.root / "rw") == ["f"]


def test_digests_are_those_of_each_chunk(deeds: Deeds) -> None:
    content = os.urandom(2 * DIGEST_CHUNK_BYTES + 10)
    (deeds.root / "rw/f").write_bytes(content)
    handle = deeds.open(b"rw/f", os.O_RDONLY)
    reply = deeds.ask(filerequests.Digest(handle, DIGEST_CHUNK_BYTES, 1 << 60))
    chunks = content[DIGEST_CHUNK_BYTES:-10], content[-10:]
    told = b"".join(hashlib.sha256(chunk).digest() for chunk in chunks)
    assert reply == filereplies.Text(told)
    assert deeds.ask(filerequests.Digest(handle, 1 << 40, 10)) == filereplies.Text(b"")


@pytest.mark.parametrize(
    "path", [b"../outside", b"rw/../../outside", b"/etc/passwd", b"rw/", b"", b"rw//x"]
)
def test_unsound_path_is_opened_nowhere(deeds: Deeds, path: bytes) -> None:
    assert deeds.refused(filerequests.Open(path, os.O_RDONLY)) in {errno.EINVAL, errno.EISDIR}


def test_no_link_leads_anywhere_at_the_server(deeds: Deeds) -> None:
    (deeds.root / "rw/up").symlink_to("../..")
    (deeds.root / "rw/abs").symlink_to("/etc")
    (deeds.root / "rw/last").symlink_to("../../outside")
    assert deeds.refused(filerequests.Open(b"rw/up/outside", os.O_RDONLY)) == errno.ELOOP
    assert deeds.refused(filerequests.Lookup(b"rw/abs/passwd")) == errno.ELOOP
    assert deeds.refused(filerequests.Open(b"rw/last", os.O_RDONLY)) == errno.ENXIO
    assert deeds.refused(filerequests.Create(b"rw/last", os.O_WRONLY, 0o600)) == errno.ELOOP
    assert deeds.ask(filerequests.ReadLink(b"rw/last")) == filereplies.Text(b"../../outside")


def test_folder_that_is_swapped_for_a_link_never_leads_out(deeds: Deeds, tmp_path: Path) -> None:
    """History: 1 the path is checked; 2 the folder becomes a link; 3 the path is opened."""
    (tmp_path / "trap").mkdir()
    (tmp_path / "trap/file").write_text("outside")
    folder, aside, link = (deeds.root / "rw" / name for name in ("d", "aside", "link"))
    folder.mkdir()
    (folder / "file").write_text("inside")
    link.symlink_to(tmp_path / "trap")
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            folder.rename(aside)
            link.rename(folder)
            folder.rename(link)
            aside.rename(folder)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(3000):
            try:
                handle = deeds.open(b"rw/d/file", os.O_RDONLY)
            except OSError as exc:
                assert exc.errno in {errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.EAGAIN}
                continue
            assert deeds.read(filerequests.Read(handle, 0, 100)) == b"inside"
            deeds.ask(filerequests.Release(handle))
    finally:
        over.set()
        thread.join(60)


def test_secrets_are_an_empty_directory(deeds: Deeds) -> None:
    assert deeds.refused(filerequests.Lookup(b"secret/key")) == errno.ENOENT
    assert deeds.refused(filerequests.Open(b"secret/key", os.O_RDONLY)) == errno.ENOENT
    assert deeds.refused(filerequests.Create(b"secret/new", os.O_WRONLY, 0o600)) == errno.ENOENT
    assert deeds.refused(filerequests.Rename(b"secret", b"rw/s")) == errno.EROFS
    assert deeds.ask(filerequests.OpenDirectory(b"secret")) == filereplies.Listing(0, [])


def test_read_only_export_is_read_and_not_changed(deeds: Deeds) -> None:
    handle = deeds.open(b"ro/file", os.O_RDONLY)
    assert deeds.read(filerequests.Read(handle, 0, 9)) == b"fixed"
    for body in (
        filerequests.Open(b"ro/file", os.O_WRONLY),
        filerequests.Open(b"ro/file", os.O_RDONLY | os.O_TRUNC),
        filerequests.Create(b"ro/new", os.O_RDWR, 0o600),
        filerequests.Unlink(b"ro/file"),
        filerequests.Rename(b"rw", b"ro/rw"),
        filerequests.MakeLink(b"ro/file", b"rw/file"),
        filerequests.SetAttributes(b"ro/file", mode=0o777),
        filerequests.SetExtended(b"ro/file", b"user.x", b"1"),
    ):
        assert deeds.refused(body) == errno.EROFS, body


def test_devices_and_fifos_are_never_opened_at_the_server(deeds: Deeds) -> None:
    os.mkfifo(deeds.root / "rw/fifo")
    assert deeds.refused(filerequests.Open(b"rw/fifo", os.O_RDONLY)) == errno.ENXIO


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become others")
def test_thread_that_became_somebody_has_their_rights_and_no_capability(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o600)
    told = as_identity(NOBODY, secret.read_text)
    assert isinstance(told, PermissionError)
    status = as_identity(NOBODY, Path("/proc/thread-self/status").read_text)
    assert isinstance(status, str)
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(lines["CapEff"], 16) == 0
    assert lines["Uid"].split()[1] == lines["Uid"].split()[3] == "65534"
    assert lines["Groups"].split() == ["65534"]
    assert secret.read_text() == "x", "this thread is still who it was"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become others")
def test_thread_can_become_another_and_root_again(tmp_path: Path) -> None:
    def deed() -> list[int]:
        seen: list[int] = []
        for uid in (1, 65534, 0, 2):
            credentials.become(Identity(user=str(uid), uid=uid, gid=uid, groups=(uid, 7)))
            made = tmp_path / f"{uid}-{len(seen)}"
            try:
                made.touch()
            except PermissionError:
                seen.append(-1)
            else:
                seen.append(made.stat().st_uid)
        return seen

    tmp_path.chmod(0o1777)
    for folder in tmp_path.parents:
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)
    assert as_identity(NOBODY, deed) == [1, 65534, 0, 2]


LOCKED = "import fcntl,sys; f=open(sys.argv[1],'r+'); fcntl.{}(f, fcntl.LOCK_EX|fcntl.LOCK_NB)"


@pytest.mark.parametrize("whole", [True, False])
def test_lock_is_met_by_programs_of_the_server_until_its_session_ends(
    deeds: Deeds, whole: bool
) -> None:
    (deeds.root / "rw/l").touch()

    def is_free() -> bool:
        code = LOCKED.format("flock" if whole else "lockf")
        command = [sys.executable, "-c", code, str(deeds.root / "rw/l")]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    handle = deeds.open(b"rw/l", os.O_RDWR)
    deeds.ask(filerequests.Lock(handle, 5, fcntl.F_WRLCK, 0, 9, whole=whole))
    assert not is_free()
    deeds.session.close()
    assert is_free()


def test_fcntl_locks_belong_to_owners_and_flock_to_open_files(deeds: Deeds) -> None:
    (deeds.root / "rw/l").touch()
    one, two = (deeds.open(b"rw/l", os.O_RDWR) for _ in range(2))
    deeds.ask(filerequests.Lock(one, 5, fcntl.F_WRLCK, 0, 9))
    deeds.ask(filerequests.Lock(two, 5, fcntl.F_WRLCK, 0, 9))
    with pytest.raises(BlockingIOError):
        deeds.ask(filerequests.Lock(one, 6, fcntl.F_RDLCK, 5, 5))
    held = deeds.ask(filerequests.TestLock(one, 6, fcntl.F_RDLCK, 0, 99))
    assert isinstance(held, filereplies.Held)
    assert (held.kind, held.start, held.end) == (fcntl.F_WRLCK, 0, 9)
    deeds.ask(filerequests.Lock(two, 5, fcntl.F_UNLCK, 0, (1 << 63) - 1))
    deeds.ask(filerequests.Lock(one, 6, fcntl.F_RDLCK, 5, 5))
    deeds.ask(filerequests.Lock(one, 0, fcntl.F_WRLCK, whole=True))
    with pytest.raises(BlockingIOError):
        deeds.ask(filerequests.Lock(two, 0, fcntl.F_WRLCK, whole=True))


def test_lock_for_reading_stays_as_its_owner_locks_by_another_descriptor(deeds: Deeds) -> None:
    (deeds.root / "rw/l").touch()
    reading, writing = (deeds.open(b"rw/l", flags) for flags in (os.O_RDONLY, os.O_RDWR))
    deeds.ask(filerequests.Lock(reading, 5, fcntl.F_RDLCK, 0, 9))
    deeds.ask(filerequests.Lock(writing, 5, fcntl.F_WRLCK, 20, 29))
    with pytest.raises(BlockingIOError):
        deeds.ask(filerequests.Lock(writing, 6, fcntl.F_WRLCK, 0, 9))


@pytest.mark.parametrize(("mode", "after"), [(0o6775, 0o775), (0o6664, 0o2664)])
def test_a_write_takes_away_what_a_program_would_run_by(
    deeds: Deeds, mode: int, after: int
) -> None:
    """Without execution by the group, set-group-id marks mandatory locks: chmod(2), inode(7)."""
    path = deeds.root / "rw/marked"
    path.write_bytes(b"x")
    path.chmod(mode)
    handle = deeds.open(b"rw/marked", os.O_WRONLY)
    deeds.ask(filerequests.Write(handle, 0, strip=True), b"y")
    assert stat.S_IMODE(path.stat().st_mode) == after


def test_long_links_are_listed_and_read_one_by_one(deeds: Deeds) -> None:
    (deeds.root / "rw/links").mkdir()
    for number in range(1000):
        (deeds.root / "rw/links" / f"{number}").symlink_to("x" * 4000)
    listing = deeds.ask(filerequests.OpenDirectory(b"rw/links"))
    assert isinstance(listing, filereplies.Listing)
    assert len(msgpack.encode(listing)) < 1 << 20, "it fits into an answer"
    assert {entry.target for _name, entry in listing.entries} == {b""}
    assert deeds.ask(filerequests.ReadLink(b"rw/links/7")) == filereplies.Text(b"x" * 4000)
