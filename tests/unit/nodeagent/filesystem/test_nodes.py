"""The inodes that the kernel knows, and what the next worker knows of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodeagent.filesystem.mount.handles import File
from nodeagent.filesystem.mount.memory import Memory
from nodeagent.filesystem.mount.nodes import Nodes, Stale


def test_hard_links_are_one_inode_found_under_the_last_name() -> None:
    nodes = Nodes()
    one = nodes.remember(nodes.root, b"a", (1, 10))
    assert nodes.remember(nodes.root, b"b", (1, 10)) is one
    assert (one.lookups, nodes.path(one)) == (2, b"b")


def test_what_is_in_a_renamed_directory_moves_with_it() -> None:
    nodes = Nodes()
    folder = nodes.remember(nodes.root, b"d", (1, 2))
    file = nodes.remember(folder, b"f", (1, 3))
    nodes.renamed(nodes.root, b"d", nodes.root, b"e")
    assert nodes.path(file) == b"e/f"
    assert nodes.child_path(folder, b"g") == b"e/g"


def test_removed_file_has_no_path_and_its_number_may_be_anothers() -> None:
    nodes = Nodes()
    old = nodes.remember(nodes.root, b"f", (1, 3))
    nodes.removed(nodes.root, b"f")
    with pytest.raises(Stale):
        nodes.path(old)
    assert nodes.remember(nodes.root, b"f", (1, 3)) is not old


def test_rename_over_a_file_takes_its_name_away() -> None:
    nodes = Nodes()
    one, two = (nodes.remember(nodes.root, name, (1, ino)) for name, ino in ((b"a", 1), (b"b", 2)))
    nodes.renamed(nodes.root, b"a", nodes.root, b"b")
    assert nodes.path(one) == b"b"
    with pytest.raises(Stale):
        nodes.path(two)


def test_exchanged_names_lead_to_each_others_files() -> None:
    nodes = Nodes()
    one, two = (nodes.remember(nodes.root, name, (1, ino)) for name, ino in ((b"a", 1), (b"b", 2)))
    nodes.exchanged(nodes.root, b"a", nodes.root, b"b")
    assert (nodes.path(one), nodes.path(two)) == (b"b", b"a")


def test_forgotten_inodes_are_dropped_once_nothing_is_below_them() -> None:
    nodes = Nodes()
    folder = nodes.remember(nodes.root, b"d", (1, 2))
    file = nodes.remember(folder, b"f", (1, 3))
    nodes.forget(folder.number, 1)
    assert nodes.path(file) == b"d/f"
    nodes.forget(file.number, 1)
    assert len(nodes) == 1


def test_next_worker_knows_what_the_kernel_knows(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "1.journal")
    memory.note_session(b"s" * 16)
    memory.note_boot("boot")
    nodes = memory.nodes
    late = nodes.remember(nodes.root, b"late", (1, 9))
    folder = nodes.remember(nodes.root, b"d", (1, 2))
    nodes.renamed(nodes.root, b"late", folder, b"late")  # a parent with a higher number
    gone = nodes.remember(folder, b"gone", (1, 4))
    for number in (5, 6):
        file = File(number, number * 10, late, 2, "ada", "", unsynced=True)
        memory.handles.files[number] = file
        memory.opened(file)
    memory.closed(6)
    memory.save()
    nodes.forget(gone.number, 1)
    memory.save_all()

    again = Memory(tmp_path / "1.journal")
    assert (again.session, again.boot) == (b"s" * 16, "boot")
    assert again.nodes.path(again.nodes.get(late.number)) == b"d/late"
    with pytest.raises(Stale):
        again.nodes.get(gone.number)
    assert list(again.handles.files) == [5]
    assert again.handles.files[5].handle == 50
    assert again.handles.next() == 7
    assert again.note_boot("other")


def test_long_journal_is_written_anew_with_the_same_content(tmp_path: Path) -> None:
    path = tmp_path / "1.journal"
    memory = Memory(path)
    memory.note_session(b"s" * 16)
    folder = memory.nodes.remember(memory.nodes.root, b"d", (1, 2))
    name = b"n" * 200
    for _ in range(10_000):
        memory.nodes.remember(folder, b"other", (1, 3))
        memory.save()
        memory.nodes.remember(folder, name, (1, 3))
        memory.save()
    assert path.stat().st_size < 4 * 1024 * 1024
    again = Memory(path)
    node = again.nodes.find(again.nodes.get(folder.number), name)
    assert node is not None
    assert node.lookups == 20_000


def test_only_what_the_next_worker_would_miss_is_written_at_once(tmp_path: Path) -> None:
    path = tmp_path / "1.journal"
    memory = Memory(path)
    nodes = memory.nodes
    file = nodes.remember(nodes.root, b"f", (1, 2))
    other = nodes.remember(nodes.root, b"g", (1, 3))
    memory.opened(File(1, 10, file, 0, "ada", ""))
    memory.save()
    size = path.stat().st_size
    nodes.remember(nodes.root, b"f", (1, 2))
    nodes.forget(other.number, 1)
    memory.closed(1)
    memory.save()
    assert path.stat().st_size == size

    early = Memory(path)  # the worker was killed now
    assert list(early.handles.files) == [1]
    early.nodes.forget(file.number, 2)  # the kernel knows of both lookups, and forgets them at once
    with pytest.raises(Stale):
        early.nodes.get(file.number)

    memory.save_all()
    late = Memory(path)
    assert late.nodes.get(file.number).lookups == 1 and not late.handles.files
    with pytest.raises(Stale):
        late.nodes.get(other.number)


def test_what_the_kernel_has_forgotten_and_looks_up_again_is_written(tmp_path: Path) -> None:
    path = tmp_path / "1.journal"
    memory = Memory(path)
    folder = memory.nodes.remember(memory.nodes.root, b"d", (1, 2))
    memory.nodes.remember(folder, b"f", (1, 3))
    memory.nodes.forget(folder.number, 1)  # it stays, for what is in it
    memory.save_all()
    assert memory.nodes.remember(memory.nodes.root, b"d", (1, 2)) is folder
    memory.save()
    assert Memory(path).nodes.get(folder.number).lookups == 1


def test_journal_that_is_closed_holds_all(tmp_path: Path) -> None:
    path = tmp_path / "1.journal"
    memory = Memory(path)
    node = memory.nodes.remember(memory.nodes.root, b"f", (1, 2))
    memory.opened(File(1, 10, node, 0, "ada", ""))
    memory.save()
    memory.closed(1)
    memory.close()
    assert not Memory(path).handles.files
