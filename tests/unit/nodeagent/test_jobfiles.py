"""What a node mounts for a job, by where the job is from."""

import asyncio
from pathlib import Path

import pytest

from nodeagent.filesystem.heldlocks import locked_inodes
from nodeagent.filesystem.mount.journal import ClosedRecord, FileRecord, NodeRecord
from nodeagent.jobfiles import files_on, missing_nodes, try_sources
from nodeagent.mechanism.mounts import Mounts
from nodeagent.shim.filemounts import FileMount, Files
from ssi.model.jobfiles import Bind, FilesUnavailable, JobFiles

FILES = JobFiles(
    home="n1",
    binds=(
        Bind(node="n1", source="/home/ada", target="/home/ada"),
        Bind(node="n2", source="/data", target="/mnt"),
    ),
)
MOUNTS = Mounts("22 1 0:21 / / rw - ext4 a rw\n23 22 0:30 / /ssi/n/n1 rw - fuse.ssi ssi:n1 rw\n")


def test_home_has_its_files_already_and_others_mount_them() -> None:
    def mounts(node: str) -> list[tuple[str, str, str]]:
        made = files_on(node, FILES).mounts
        return [(mount.root, mount.path, mount.target) for mount in made]

    assert mounts("n1") == [("/ssi/n/n2", "/data", "/mnt")]
    assert mounts("n2") == [("/ssi/n/n1", "/home/ada", "/home/ada"), ("/", "/data", "/mnt")]
    assert len(mounts("n3")) == 2
    assert files_on("n3", None).mounts == ()


def test_what_is_not_mounted_is_named() -> None:
    assert missing_nodes("n3", FILES, MOUNTS) == ["n2"]
    assert missing_nodes("n2", FILES, MOUNTS) == []
    assert missing_nodes("n1", JobFiles(home="n1", is_whole=True), MOUNTS) == []


def test_open_files_through_which_locks_were_taken_are_found() -> None:
    nodes = [NodeRecord(n, 1, 100 + n, 1, b"f", 1) for n in (2, 3, 4, 5)]
    files = [
        FileRecord(10, 1, 2, 0, "ada", "ada", has_flock=True),
        FileRecord(11, 2, 3, 0, "ada", "ada", lock_owners=(7,)),
        FileRecord(12, 3, 4, 0, "ada", "ada"),
        FileRecord(13, 4, 5, 0, "ada", "ada", has_flock=True),
    ]
    assert locked_inodes([*nodes, *files, ClosedRecord(13)]) == {102, 103}


def test_sources_are_tried_within_their_roots(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("/data")
    (tmp_path / "astray").symlink_to("/usr")

    def mount(path: str, root: Path = tmp_path) -> Files:
        made = FileMount(root=str(root), path=path, target="/mnt", label=f"n1:{path}")
        return Files(mounts=(made,), node="n3")

    for path in ("/", "/data", "/link"):
        asyncio.run(try_sources(mount(path)))
    asyncio.run(try_sources(Files(root=str(tmp_path))))
    for files in (mount("/astray"), mount("/data/x"), mount("/", tmp_path / "no")):
        with pytest.raises(FilesUnavailable, match="cannot be had on n3: No such file"):
            asyncio.run(try_sources(files))
    with pytest.raises(FilesUnavailable):
        asyncio.run(try_sources(Files(root=str(tmp_path / "no"), node="n3")))
