"""Copies between two trees, each this machine's or a node's: the outcome is the same."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from pathlib import Path

import pytest

from ssi.client.files.copier import Copier, CopyOptions
from ssi.client.files.errors import FilesSilent, NoRoom
from ssi.client.files.remote import FileLost
from ssi.client.files.tree import CHUNK_BYTES, Tree
from ssi.model.errors import first_error
from ssi.protocol import filerequests
from ssi.protocol.filerequests import FileRequest
from tests.contract.trees import Server, Told, local_tree, remote_tree

ALL = CopyOptions(recursive=True, preserve=True, archive=True)
PLAIN = CopyOptions()
BIG = 9 * CHUNK_BYTES + 12345
"""So large that what is left of a copy is kept."""

OTHER = (1, 1) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
"""Somebody else, where such files can be made."""


def pull() -> tuple[Tree, Tree]:
    return remote_tree(Server()), local_tree()


def push() -> tuple[Tree, Tree]:
    return local_tree(), remote_tree(Server())


def here() -> tuple[Tree, Tree]:
    return local_tree(), local_tree()


@pytest.fixture(params=[pull, push, here])
def ends(request: pytest.FixtureRequest) -> tuple[Tree, Tree]:
    made: tuple[Tree, Tree] = request.param()
    return made


def copy(ends: tuple[Tree, Tree], source: Path, target: Path, options: CopyOptions = PLAIN) -> Told:
    told = Told()
    copier = Copier(*ends, options, told)
    asyncio.run(copier.copy(os.fsencode(source), os.fsencode(target)))
    return told


def left_over(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*.ssi-*")]


@pytest.mark.parametrize("size", [0, 1, 128 * 1024, 128 * 1024 + 1, 3 * CHUNK_BYTES + 7])
def test_file_is_copied_byte_for_byte(ends: tuple[Tree, Tree], tmp_path: Path, size: int) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(size))
    source.chmod(0o754)
    told = copy(ends, source, target)
    assert target.read_bytes() == source.read_bytes()
    assert stat.S_IMODE(target.stat().st_mode) == 0o754
    assert (told.files, told.found_bytes, told.moved_bytes) == (1, size, size)
    assert not told.failures
    assert not left_over(tmp_path)


@pytest.mark.parametrize("size", [5, 200 * 1024])
def test_overwritten_file_keeps_its_mode_and_owner(
    ends: tuple[Tree, Tree], tmp_path: Path, size: int
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"n" * size)
    target.write_bytes(b"old, and longer" * size)
    target.chmod(0o640)
    os.chown(target, *OTHER)
    copy(ends, source, target)
    found = target.stat()
    assert target.read_bytes() == b"n" * size
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o640, *OTHER)


def test_archive_keeps_what_cp_keeps(ends: tuple[Tree, Tree], tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep/empty").mkdir(parents=True)
    (source / "file").write_bytes(b"content")
    (source / "large").write_bytes(b"x" * (CHUNK_BYTES + 1))
    (source / "odd \n\udcff name".encode("utf-8", "surrogateescape").decode("latin-1")).touch()
    os.link(source / "file", source / "deep/hard")
    (source / "deep/soft").symlink_to("../file")
    (source / "dangling").symlink_to("/nowhere")
    os.mkfifo(source / "fifo", 0o600)
    os.setxattr(source / "file", "user.k", b"v")
    os.chown(source / "deep", *OTHER)
    (source / "file").chmod(0o4711)
    (source / "deep").chmod(0o2500)
    for path in (*sorted(source.rglob("*"), reverse=True), source):
        os.utime(path, ns=(1, 1_234_567_890_123_456_789), follow_symlinks=False)
    told = copy(ends, source, tmp_path / "target", ALL)
    assert not told.failures
    assert listed(tmp_path / "target") == listed(source)
    hard = (tmp_path / "target/file").stat(), (tmp_path / "target/deep/hard").stat()
    assert hard[0].st_ino == hard[1].st_ino
    assert os.getxattr(tmp_path / "target/file", "user.k") == b"v"
    assert not left_over(tmp_path)


def listed(root: Path) -> dict[str, tuple[object, ...]]:
    """All that is below a directory, and how it looks."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (root, *root.rglob("*")):
        status = path.lstat()
        content: object = None
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            content = path.read_bytes()
        found[str(path.relative_to(root))] = (
            status.st_mode,
            status.st_uid,
            status.st_gid,
            status.st_mtime_ns,
            content,
        )
    return found


def test_holes_stay_holes(ends: tuple[Tree, Tree], tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("wb") as file:
        file.seek(3 << 30)
        file.write(b"middle")
        file.truncate(5 << 30)
    copy(ends, source, target)
    found = target.stat()
    assert found.st_size == 5 << 30
    assert found.st_blocks <= source.stat().st_blocks + 64
    with target.open("rb") as file:
        file.seek(3 << 30)
        assert file.read(7) == b"middle\0"


def test_directory_is_merged_and_only_with_recursive(
    ends: tuple[Tree, Tree], tmp_path: Path
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "sub").mkdir(parents=True)
    (source / "sub/new").write_text("new")
    (target / "sub").mkdir(parents=True)
    (target / "sub/old").write_text("old")
    (target / "sub/new").write_text("older")
    (refusal,) = copy(ends, source, target).failures
    assert "it is a directory" in str(refusal)
    assert not copy(ends, source, target, CopyOptions(recursive=True)).failures
    assert sorted(os.listdir(target / "sub")) == ["new", "old"]
    assert (target / "sub/new").read_text() == "new"


def test_no_clobber_leaves_alone_what_is_there(ends: tuple[Tree, Tree], tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    for name in ("small", "large"):
        (source / name).write_bytes(b"n" * (10 if name == "small" else 200 * 1024))
    (target / "small").write_text("old")
    options = CopyOptions(recursive=True, no_clobber=True)
    assert not copy(ends, source, target, options).failures
    assert (target / "small").read_text() == "old"
    assert (target / "large").stat().st_size == 200 * 1024
    (target / "large").write_text("old")
    assert not copy(ends, source, target, options).failures
    assert (target / "large").read_text() == "old"
    assert not left_over(tmp_path)


def test_kinds_do_not_replace_each_other(ends: tuple[Tree, Tree], tmp_path: Path) -> None:
    (tmp_path / "folder/sub").mkdir(parents=True)
    (tmp_path / "file").write_text("f")
    os.mkfifo(tmp_path / "fifo")
    recursive = CopyOptions(recursive=True)
    for source, target in (("file", "folder"), ("folder", "file"), ("file", "fifo")):
        (failure,) = copy(ends, tmp_path / source, tmp_path / target, recursive).failures
        assert "it is there" in str(failure) or "is not replaced" in str(failure)
    assert (tmp_path / "file").read_text() == "f"
    assert stat.S_ISFIFO((tmp_path / "fifo").lstat().st_mode)


def test_target_that_is_a_link_is_written_through(ends: tuple[Tree, Tree], tmp_path: Path) -> None:
    (tmp_path / "source").write_text("new")
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    copy(ends, tmp_path / "source", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_file_is_not_copied_onto_itself(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("all that there is")
    (tmp_path / "folder").mkdir()
    (failure,) = copy(here(), tmp_path / "file", tmp_path / "file").failures
    assert "same file" in str(failure)
    (failure,) = copy(here(), tmp_path / "folder", tmp_path / "folder/in", ALL).failures
    assert "into itself" in str(failure)
    assert (tmp_path / "file").read_text() == "all that there is"


def test_what_is_missing_is_named(ends: tuple[Tree, Tree], tmp_path: Path) -> None:
    (failure,) = copy(ends, tmp_path / "absent", tmp_path / "target").failures
    assert str(failure).endswith("absent: No such file or directory")
    (tmp_path / "file").touch()
    (failure,) = copy(ends, tmp_path / "file", tmp_path / "no/target").failures
    assert str(failure).endswith("no/target: its directory is not there")


def test_source_that_vanishes_is_one_line_and_the_others_are_copied(tmp_path: Path) -> None:
    """History: 1 the directory is listed; 2 a file of it goes; 3 it is opened."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for name in ("a", "b", "c"):
        (source / name).write_text(name)
    server = Server()

    def vanish(body: FileRequest) -> None:
        if isinstance(body, filerequests.Open) and body.path.endswith(b"/b"):
            (source / "b").unlink()

    server.refuse = vanish
    told = copy((remote_tree(server), local_tree()), source, target, ALL)
    (failure,) = told.failures
    assert str(failure) == f"n1:{source}/b: No such file or directory"
    assert sorted(os.listdir(target)) == ["a", "c"]


@pytest.mark.parametrize("size", [100, BIG])
def test_full_disk_is_one_error_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"x" * size)
    target.write_text("old")
    server = Server()

    def full(body: FileRequest) -> None:
        is_late = isinstance(body, filerequests.Write) and body.offset >= 2 * CHUNK_BYTES
        if is_late or isinstance(body, filerequests.Put):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    server.refuse = full
    with pytest.raises(ExceptionGroup) as caught:
        copy((local_tree(), remote_tree(server)), source, target)
    error = first_error(caught.value)
    assert isinstance(error, NoRoom)
    assert error.place == f"n1:{target}"
    assert error.needed_bytes == size
    assert target.read_text() == "old"
    assert not left_over(tmp_path)


def test_broken_copy_goes_on_where_it_was(tmp_path: Path) -> None:
    """History: 1 half is there; 2 the link is cut; 3 the copy is asked for again."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(BIG))
    server = Server()

    def cut(body: FileRequest) -> None:
        if isinstance(body, filerequests.Write) and body.offset >= 5 * CHUNK_BYTES:
            raise FilesSilent(node="n1", after_s=30)

    server.refuse = cut
    with pytest.raises(ExceptionGroup) as caught:
        copy((local_tree(), remote_tree(server)), source, target)
    assert isinstance(first_error(caught.value), FilesSilent)
    assert not target.exists()
    (part,) = left_over(tmp_path)
    damaged = tmp_path / part
    with damaged.open("r+b") as file:  # what is there is not believed
        file.seek(2 * CHUNK_BYTES + 5)
        file.write(b"damaged")
    again = Server()
    told = copy((local_tree(), remote_tree(again)), source, target)
    assert target.read_bytes() == source.read_bytes()
    written = [body.offset for body in again.asked if isinstance(body, filerequests.Write)]
    assert sorted(written) == [at * CHUNK_BYTES for at in (2, 5, 6, 7, 8, 9)]
    assert told.moved_bytes == BIG
    assert not left_over(tmp_path)


def test_copy_of_another_version_begins_anew(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(BIG))
    server = Server()

    def cut(body: FileRequest) -> None:
        if isinstance(body, filerequests.Write) and body.offset >= 5 * CHUNK_BYTES:
            raise FilesSilent(node="n1", after_s=30)

    server.refuse = cut
    with pytest.raises(ExceptionGroup):
        copy((local_tree(), remote_tree(server)), source, target)
    source.write_bytes(os.urandom(BIG - CHUNK_BYTES))
    assert not copy((local_tree(), remote_tree(Server())), source, target).failures
    assert target.read_bytes() == source.read_bytes()


def test_two_copies_of_one_file_do_not_write_into_each_other(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(BIG))

    async def both() -> None:
        copiers = [Copier(local_tree(), remote_tree(Server()), PLAIN, Told()) for _ in range(2)]
        place = os.fsencode(target)
        await asyncio.gather(*(each.copy(os.fsencode(source), place) for each in copiers))

    asyncio.run(both())
    assert target.read_bytes() == source.read_bytes()
    assert not left_over(tmp_path)


def test_server_that_was_restarted_costs_no_copy(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(BIG))
    server, lost = Server(), [True]

    def forget(body: FileRequest) -> None:
        if isinstance(body, filerequests.Read) and body.offset >= 4 * CHUNK_BYTES and lost:
            lost.clear()
            raise FileLost(errno.ESTALE, "its server was restarted", "n1:")

    server.refuse = forget
    told = copy((remote_tree(server), local_tree()), source, target)
    assert not told.failures
    assert target.read_bytes() == source.read_bytes()
    assert not left_over(tmp_path)


def test_damage_on_the_way_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """History: 1 a chunk is written; 2 what the disk holds is another; 3 it is written again."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(3 * CHUNK_BYTES))
    server = Server()
    spoiled: list[int] = []

    def spoil(body: FileRequest) -> None:
        if isinstance(body, filerequests.Digest) and not spoiled:
            spoiled.append(body.offset)
            (part,) = left_over(tmp_path)
            with (tmp_path / part).open("r+b") as file:
                file.seek(body.offset)
                file.write(b"spoiled")

    server.refuse = spoil
    assert not copy((local_tree(), remote_tree(server)), source, target).failures
    assert spoiled
    assert target.read_bytes() == source.read_bytes()


def test_name_that_the_target_does_not_know_is_told_once(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in "abc":
        (source / name).write_text(name)

    class Elsewhere(Server):
        """A node whose users are others than this machine's."""

        @property
        def users(self) -> dict[int, str]:
            return {0: "somebody"}

    target = local_tree()
    target.user = "root"
    told = copy((remote_tree(Elsewhere()), target), source, tmp_path / "target", ALL)
    assert told.warnings == ["this machine has no user somebody: such files are root's there"]
    assert not told.failures
    assert sorted(os.listdir(tmp_path / "target")) == ["a", "b", "c"]


def test_handles_are_given_back(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(200):
        (source / str(number)).write_bytes(b"x" * (number * 1000))
    server = Server()
    copy((remote_tree(server), local_tree()), source, tmp_path / "target", ALL)
    assert server.open_files < 64, "of many small files they are given back together"
    pushed = Server()
    copy((local_tree(), remote_tree(pushed)), source, tmp_path / "other", ALL)
    assert pushed.open_files == 0
    assert listed(tmp_path / "other") == listed(source)
