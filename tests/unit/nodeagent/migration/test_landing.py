"""Files beside their paths: which of their chunks are asked for, and when all of one is there."""

from __future__ import annotations

import errno
import getpass
import grp
import os
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from nodeagent.mechanism.digest import sha256
from nodeagent.mechanism.pinned import identity_of
from nodeagent.migration.describe import CHUNK_BYTES
from nodeagent.migration.landing import Landing, conflict_of, undo_landing, write_at
from ssi.model.migration import FileConflict
from ssi.protocol.migration import FileMeta
from tests.unit.nodeagent.fulldisk import files_of_at_most

CHUNKS = [bytes([number]) * CHUNK_BYTES for number in range(3)]


def chunks_of(data: bytes) -> list[bytes]:
    return [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)]


class Arriving:
    """A file that the job has at the source, and its landing here."""

    def __init__(self, directory: Path) -> None:
        images = directory / "images"
        images.mkdir()
        self.path = directory / "data"
        self.landing = Landing("n2", 7, images)

    def compare(self, data: bytes, *, frozen: bool = False) -> tuple[int, ...]:
        return self.landing.missing_chunks(self.meta(data), frozen=frozen)

    def meta(self, data: bytes) -> FileMeta:
        return FileMeta(
            path=str(self.path),
            kind="file",
            mode=0o640,
            user=getpass.getuser(),
            group=grp.getgrgid(os.getgid()).gr_name,
            size_bytes=len(data),
            mtime_ns=1_000_000_000,
            digests=tuple(sha256(chunk).digest() for chunk in chunks_of(data)),
            writable=True,
        )

    def put(self, data: bytes, *indexes: int) -> None:
        for index in indexes:
            chunk = memoryview(chunks_of(data)[index])  # as a lane gives it
            self.landing.put(str(self.path), index * CHUNK_BYTES, chunk)

    def arrives(self, data: bytes) -> None:
        """What is asked for once the job stands still makes the file whole."""
        self.put(data, *self.compare(data, frozen=True))
        self.landing.place([self.meta(data)])
        assert self.path.read_bytes() == data


@pytest.fixture
def file(tmp_path: Path) -> Arriving:
    return Arriving(tmp_path)


def test_what_runs_here_is_undone_by_no_later_agent(file: Arriving) -> None:
    file.arrives(CHUNKS[0])
    file.landing.keep()
    undo_landing(file.landing.images)
    assert file.path.read_bytes() == CHUNKS[0]


def test_what_an_agent_before_has_brought_is_undone_too(file: Arriving) -> None:
    file.arrives(CHUNKS[0])
    Landing("n2", 7, file.landing.images).undo()
    assert not file.path.exists()


def test_a_file_that_both_nodes_see_is_told(file: Arriving) -> None:
    file.path.write_bytes(CHUNKS[0])
    status = file.path.stat()
    meta = msgspec.structs.replace(file.meta(CHUNKS[0]), inode=status.st_ino)
    file.landing.place([meta])
    assert file.landing.same == []
    file.landing.place([msgspec.structs.replace(meta, ctime_ns=status.st_ctime_ns)])
    assert file.landing.same == [str(file.path)]


def test_a_chunk_that_has_come_is_not_asked_for_again(file: Arriving) -> None:
    before = b"".join(CHUNKS)
    assert file.compare(before) == (0, 1, 2)
    file.put(before, 0, 1, 2)
    after = CHUNKS[0] + CHUNKS[2] + CHUNKS[2]
    assert file.compare(after, frozen=True) == (1,)
    file.arrives(after)


def test_a_chunk_that_was_written_to_on_its_way_is_asked_for_again(file: Arriving) -> None:
    before = b"".join(CHUNKS)
    assert file.compare(before) == (0, 1, 2)
    after = CHUNKS[0] + b"x" * CHUNK_BYTES + CHUNKS[2]
    file.put(after, 0, 1, 2)
    assert file.compare(after, frozen=True) == (1,)
    file.arrives(after)


@pytest.mark.parametrize(
    "sizes",
    [
        (CHUNK_BYTES + 4, CHUNK_BYTES + 9),
        (CHUNK_BYTES + 9, CHUNK_BYTES + 4),
        (2 * CHUNK_BYTES, 3 * CHUNK_BYTES),
        (2 * CHUNK_BYTES, CHUNK_BYTES),
        (2 * CHUNK_BYTES, 4, 2 * CHUNK_BYTES),
        (CHUNK_BYTES + 9, CHUNK_BYTES, CHUNK_BYTES + 9),
        (4, 0, 4),
        (0, 4),
    ],
)
def test_a_file_that_was_cut_or_grew_is_whole_in_the_end(
    file: Arriving, sizes: tuple[int, ...]
) -> None:
    whole = b"".join(CHUNKS)
    for size in sizes[:-1]:
        file.put(whole[:size], *file.compare(whole[:size]))
    file.arrives(whole[: sizes[-1]])


def test_a_piece_that_nobody_announced_is_refused(file: Arriving) -> None:
    with pytest.raises(FileConflict, match="not announced"):
        file.put(CHUNKS[0], 0)


def test_a_chunk_of_which_only_a_part_fits_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "file"
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT)
    try:
        with files_of_at_most(4096), pytest.raises(OSError, match="too large") as refused:
            write_at(descriptor, CHUNKS[1], 0)
    finally:
        os.close(descriptor)
    assert refused.value.errno == errno.EFBIG
    assert target.stat().st_size == 4096


def a_fifo(arriving: Arriving) -> FileMeta:
    return msgspec.structs.replace(arriving.meta(b""), kind="fifo")


def test_a_named_pipe_is_made_beside_its_path_and_placed(tmp_path: Path) -> None:
    arriving = Arriving(tmp_path)
    meta = a_fifo(arriving)
    for frozen in (False, True):  # it is told of again once the job stands still
        assert arriving.landing.missing_chunks(meta, frozen=frozen) == ()
    assert not arriving.path.exists()
    assert arriving.landing.place([meta]) == [str(arriving.path)]
    status = arriving.path.stat()
    assert (stat.S_ISFIFO(status.st_mode), stat.S_IMODE(status.st_mode)) == (True, 0o640)
    arriving.landing.undo()
    assert [each.name for each in tmp_path.iterdir()] == ["images"]


def test_a_named_pipe_is_never_one_that_is_there_already(tmp_path: Path) -> None:
    arriving = Arriving(tmp_path)
    os.mkfifo(arriving.path)
    with pytest.raises(FileConflict, match="may be another's named pipe"):
        arriving.landing.missing_chunks(a_fifo(arriving), frozen=False)
    assert "is here already" in conflict_of(a_fifo(arriving))
    arriving.landing.undo()
    assert arriving.path.is_fifo()


@pytest.mark.parametrize("plant", [os.symlink, os.link])
def test_nothing_is_written_to_what_somebody_puts_in_the_place_of_a_staged_file(
    tmp_path: Path, plant: Callable[[Path, Path], None]
) -> None:
    """Its directory may be a user's, who may then have root write to any file."""
    precious = tmp_path / "precious"
    precious.write_text("as it was")
    arriving = Arriving(tmp_path)
    staging = tmp_path / ".data.ssi-7"
    plant(precious, staging)
    wanted = arriving.compare(CHUNKS[0])  # put there beforehand: it goes
    assert wanted == (0,) and not staging.is_symlink()
    staging.unlink()
    plant(precious, staging)
    for step in (
        lambda: arriving.put(CHUNKS[0], 0),
        lambda: arriving.compare(CHUNKS[0], frozen=True),
        lambda: arriving.landing.place([arriving.meta(CHUNKS[0])]),
    ):
        with pytest.raises(FileConflict):
            step()
    assert precious.read_text() == "as it was"
    assert stat.S_IMODE(precious.stat().st_mode) != 0o640
    arriving.landing.undo()
    assert precious.read_text() == "as it was"


def test_a_directory_that_leads_to_what_is_not_its_owners_is_refused(tmp_path: Path) -> None:
    roots, arriving = tmp_path / "roots", Arriving(tmp_path)
    roots.mkdir()
    (tmp_path / "sub").symlink_to("/usr" if os.geteuid() else roots)
    if not os.geteuid():
        os.lchown(tmp_path / "sub", 12345, 12345)
    below = msgspec.structs.replace(arriving.meta(CHUNKS[0]), path=str(tmp_path / "sub/data"))
    assert "leads to what is not theirs" in conflict_of(below), "and the preflight knows it"
    with pytest.raises(FileConflict, match="leads to what is not theirs"):
        arriving.landing.missing_chunks(below, frozen=False)
    directory = msgspec.structs.replace(below, path=str(tmp_path / "sub/new"), kind="directory")
    with pytest.raises(FileConflict, match="leads to what is not theirs"):
        arriving.landing.make_directories([directory])
    arriving.landing.undo()
    assert list(roots.iterdir()) == []


def test_what_was_staged_and_is_not_wanted_any_more_goes(tmp_path: Path) -> None:
    file = Arriving(tmp_path)
    data = CHUNKS[0] + CHUNKS[1]
    file.put(data, *file.compare(data)[:1])
    assert file.landing.place([]) == []
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_what_is_at_a_path_is_known_again(file: Arriving) -> None:
    file.arrives(CHUNKS[0])
    assert file.landing.brought == {identity_of(file.path.stat())}


def test_what_stood_there_is_known_again_if_the_job_writes_it(file: Arriving) -> None:
    file.path.write_bytes(CHUNKS[0])
    only_read = msgspec.structs.replace(file.meta(CHUNKS[0]), writable=False)
    assert file.landing.place([only_read]) == []
    assert file.landing.brought == set()
    assert file.landing.place([file.meta(CHUNKS[0])]) == []
    assert file.landing.brought == {identity_of(file.path.stat())}


def test_another_file_or_a_link_that_took_the_place_of_one_is_refused(file: Arriving) -> None:
    precious = file.path.with_name("precious")
    precious.write_bytes(CHUNKS[0])
    file.path.symlink_to(precious)
    anothers = msgspec.structs.replace(file.meta(CHUNKS[0]), user="nobody")
    for meta in (file.meta(CHUNKS[0]), anothers):
        with pytest.raises(FileConflict, match="something else was put there"):
            file.landing.place([meta])
    file.path.unlink()
    with pytest.raises(FileConflict, match="No such file"):
        file.landing.place([file.meta(CHUNKS[0])])
    assert file.landing.brought == set()
