"""What of a job would be left behind at its source."""

from __future__ import annotations

import mmap
import os
import subprocess
from pathlib import Path

from nodeagent.mechanism.connections import Connection
from nodeagent.mechanism.openfiles import OpenThing, only_read, read_open_things
from nodeagent.migration.survey import TICK_NS, connected, listening, steady, strangers
from ssi.protocol.migration import FileMeta
from tests.unit.view.samples import process

ROOT = 15_000_001


def socket_of(inode: int) -> OpenThing:
    return OpenThing(pid=70, where="fd 4", path=f"socket:[{inode}]", kind="socket", inode=inode)


def connection(*, to: int = 0, listens: bool = False) -> Connection:
    return Connection(
        kind="tcp",
        local=("127.0.0.1", 80),
        remote=("127.0.0.1", to),
        listening=listens,
        connected=bool(to),
    )


def test_a_process_that_left_the_tree_is_named_by_pid_and_name() -> None:
    rows = [
        process(gpid=ROOT, pid=70, parent_gpid=0, name="sh"),
        process(gpid=ROOT + 1, pid=71, parent_gpid=ROOT, name="child"),
        process(gpid=ROOT + 2, pid=72, parent_gpid=0, name="daemon"),
        process(gpid=ROOT + 3, pid=73, parent_gpid=ROOT + 2, name="below"),
        process(gpid=ROOT + 4, pid=74, parent_gpid=0, name="dead", state="Z"),
    ]
    assert strangers(ROOT, rows) == [
        "process 72 (daemon) has left the tree of the job, as daemons do",
        "process 73 (below) has left the tree of the job, as daemons do",
    ]


def test_a_connection_is_told_with_both_of_its_ends() -> None:
    sockets = {7: connection(to=22), 8: connection(listens=True)}
    things = [socket_of(7), socket_of(8), socket_of(9)]
    assert connected(things, sockets) == [
        "process 70, fd 4: a tcp connection from 127.0.0.1:80 to 127.0.0.1:22"
    ]
    assert listening(things, sockets) == ("tcp 127.0.0.1 80",)


def test_files_whose_next_change_may_not_show_are_read_again() -> None:
    def described(path: str, mtime_ns: int) -> FileMeta:
        return FileMeta(
            path=path,
            kind="file",
            mode=0o644,
            user="root",
            group="root",
            size_bytes=1,
            mtime_ns=mtime_ns,
        )

    began_ns = 1_000_000_000_000
    files = [
        described("/old", began_ns - TICK_NS),
        described("/old/mapped", 5),
        described("/old/read", 5),
        described("/young", began_ns - TICK_NS + 1),
        described("/written-meanwhile", began_ns + 1),
    ]
    assert set(steady(files, {"/old/mapped"}, began_ns)) == {"/old", "/old/read"}


def test_shared_mapping_of_a_file_that_was_opened_for_reading_only_reads(tmp_path: Path) -> None:
    """One follows another at the same addresses, so nothing that is remembered of them counts."""
    file = tmp_path / "mapped"
    file.write_bytes(b"x" * mmap.PAGESIZE)
    cases = (
        ("r+b", mmap.ACCESS_WRITE, False),
        ("rb", mmap.ACCESS_READ, True),
        ("r+b", mmap.ACCESS_READ, False),  # mprotect(2) would make it writable
        ("r+b", mmap.ACCESS_COPY, False),  # and what is private is not of interest
    )
    for mode, access, is_read in cases:
        with file.open(mode) as opened, mmap.mmap(opened.fileno(), 0, access=access):
            assert (str(file) in only_read([os.getpid()])) is is_read, (mode, access)


def test_file_that_one_mapping_may_write_to_is_not_only_read(tmp_path: Path) -> None:
    file = tmp_path / "mapped"
    file.write_bytes(b"x" * mmap.PAGESIZE)
    with (
        file.open("rb") as reading,
        file.open("r+b") as writing,
        mmap.mmap(reading.fileno(), 0, access=mmap.ACCESS_READ),
    ):
        assert str(file) in only_read([os.getpid()])
        with mmap.mmap(writing.fileno(), 0):
            assert str(file) not in only_read([os.getpid()])


def test_process_that_has_ended_tells_nothing_of_its_mappings() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert only_read([ended.pid]) == set()


def test_a_mapping_of_this_process_is_known_as_shared_or_private(tmp_path: Path) -> None:
    file = tmp_path / "mapped"
    file.write_bytes(b"x" * mmap.PAGESIZE)
    with file.open("r+b") as opened:
        for access, is_shared in ((mmap.ACCESS_WRITE, True), (mmap.ACCESS_COPY, False)):
            with mmap.mmap(opened.fileno(), 0, access=access):
                things = [
                    each for each in read_open_things([os.getpid()]) if each.path == str(file)
                ]
                mappings = [each for each in things if each.where == "mapping"]
                assert [each.is_shared for each in mappings] == [is_shared]
