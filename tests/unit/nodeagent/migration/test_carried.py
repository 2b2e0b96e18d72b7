"""Which files leave a node with the job that had them, and which stay."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from nodeagent.mechanism.pinned import identity_of
from nodeagent.migration.carried import copies_among, is_mere_copy, remove_carried
from nodeagent.migration.describe import describe_file
from nodeagent.migration.plan import Item
from nodeagent.migration.reception import shared_here


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path.resolve() / "out"
    path.write_text("ours")
    return path


def test_what_went_on_with_the_job_is_removed(file: Path) -> None:
    remove_carried([str(file), str(file.with_name("gone"))], {str(file): identity_of(file.stat())})
    assert not file.exists()


def test_what_somebody_has_put_in_its_place_stays(file: Path) -> None:
    was = identity_of(file.stat())
    other = file.with_name("other")
    other.write_text("theirs")
    other.rename(file)
    remove_carried([str(file)], {str(file): was})
    assert file.read_text() == "theirs"


def test_what_another_process_has_open_stays_until_it_has_not(file: Path) -> None:
    identities = {str(file): identity_of(file.stat())}
    with file.open() as held, subprocess.Popen(["/bin/sleep", "300"], stdin=held) as other:
        try:
            remove_carried([str(file)], identities)
            assert file.read_text() == "ours"
        finally:
            other.kill()
    remove_carried([str(file)], identities)
    assert not file.exists()


def test_a_copy_is_of_no_worth_until_somebody_changes_it(file: Path) -> None:
    read = describe_file(Item(path=str(file), link=str(file)))
    written = describe_file(Item(path=str(file), link=str(file), writable=True))
    assert copies_among([str(file)], [written]) == copies_among([], [read]) == {}
    copies = copies_among([str(file)], [read])
    assert is_mere_copy(str(file), copies)
    assert not is_mere_copy(str(file), {}) and not is_mere_copy(str(file) + "-gone", copies)
    os.utime(file, ns=(0, read.mtime_ns + 1))
    assert not is_mere_copy(str(file), copies)


def test_a_file_that_others_have_here_is_not_given_to_a_job_to_write(file: Path) -> None:
    there = describe_file(Item(path=str(file), link=str(file), writable=True))
    os.utime(file)  # what is here is not the very file of the source
    assert shared_here([there]) == []
    with file.open() as held, subprocess.Popen(["/bin/sleep", "300"], stdin=held) as other:
        try:
            assert shared_here([there]) == [f"{file} is open in process {other.pid} here"]
        finally:
            other.kill()
    os.link(file, file.with_name("second"))
    assert shared_here([there]) == [f"{file} has 2 names here"]
    same = describe_file(Item(path=str(file), link=str(file), writable=True))
    assert shared_here([same]) == [], "both nodes see it, and it is the job's"
