"""What a mount believes of files, and what this machine's own changes end."""

from __future__ import annotations

import stat
import time

import pytest

from nodeagent.filesystem.mount import beliefs as module
from nodeagent.filesystem.mount.beliefs import Beliefs
from nodeagent.filesystem.mount.nodes import Listed, Node, Nodes, Stale, key_of
from nodeagent.filesystem.mount.options import MountOptions
from ssi.protocol.filereplies import ATTRIBUTES, Entry

LONG_AGO_S = 1.0


def file(ino: int, links: int = 1, kind: int = stat.S_IFREG) -> Entry:
    values = (ino, 0, 0, 0, 0, 0, 0, 0, 0, kind | 0o644, links, 0, 0, 0, 4096, 0)
    return Entry(ATTRIBUTES.pack(*values), 1)


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


@pytest.fixture
def beliefs(nodes: Nodes) -> Beliefs:
    return Beliefs(nodes, MountOptions(attributes_s=1e9, names_s=1e9))


def known(nodes: Nodes, name: bytes, entry: Entry) -> Node:
    node = nodes.remember(nodes.root, name, key_of(entry))
    node.told = entry.attributes
    return node


def test_listed_file_is_believed_until_this_machine_changes_it(
    nodes: Nodes, beliefs: Beliefs
) -> None:
    entry = file(7)
    node = known(nodes, b"a", entry)
    nodes.root.listed = Listed(LONG_AGO_S, {b"a": entry})
    assert beliefs.of(node) is entry
    beliefs.changed(node)
    assert beliefs.of(node) is None


def test_listing_grows_old(nodes: Nodes) -> None:
    beliefs = Beliefs(nodes, MountOptions(attributes_s=1.0, names_s=1e9))
    nodes.root.listed = Listed(LONG_AGO_S, {})
    assert beliefs.listed(nodes.root) is None


@pytest.mark.parametrize("happens", ["a name is removed", "a name is made"])
def test_link_count_of_a_file_of_several_names_ends_with_any_name(
    nodes: Nodes, beliefs: Beliefs, happens: str
) -> None:
    linked, alone, folder = file(7, links=2), file(8), file(9, links=2, kind=stat.S_IFDIR)
    assert beliefs.stands(linked, LONG_AGO_S + 1)
    if happens == "a name is removed":
        beliefs.name_removed(nodes.root, b"another name of seven")  # which is not known to be one
    else:
        beliefs.links_changed()
    assert not beliefs.stands(linked, LONG_AGO_S + 1)
    assert beliefs.stands(alone, LONG_AGO_S + 1) and beliefs.stands(folder, LONG_AGO_S + 1)


def test_file_that_has_another_name_stays_one_inode_when_one_is_removed(nodes: Nodes) -> None:
    node = known(nodes, b"a", file(7, links=2))
    nodes.removed(nodes.root, b"a")
    assert nodes.remember(nodes.root, b"b", (1, 7)) is node
    assert nodes.path(node) == b"b"
    nodes.removed(nodes.root, b"b")  # the last one: seven may be another file from now on
    assert nodes.remember(nodes.root, b"c", (1, 7)) is not node


def test_directory_is_what_its_last_change_told_until_the_next(
    nodes: Nodes, beliefs: Beliefs
) -> None:
    assert beliefs.vouched_s(nodes.root) <= 0, "before anything was told"
    beliefs.name_changed(nodes.root, b"a")
    beliefs.vouch(nodes.root)
    assert beliefs.vouched_s(nodes.root) > 0
    beliefs.name_changed(nodes.root, b"b")
    assert beliefs.vouched_s(nodes.root) <= 0


def test_directory_is_never_vouched_for_where_nothing_is_believed(nodes: Nodes) -> None:
    beliefs = Beliefs(nodes, MountOptions.strict())
    beliefs.name_changed(nodes.root, b"a")
    beliefs.vouch(nodes.root)
    assert beliefs.vouched_s(nodes.root) <= 0


def test_what_is_doubted_is_asked_for_and_forgotten_by_the_kernel_once(
    nodes: Nodes, beliefs: Beliefs
) -> None:
    entry = file(7)
    node = known(nodes, b"a", entry)
    node.target = b"where a link led"
    beliefs.told(node)
    nodes.root.listed = Listed(time.monotonic(), {b"a": entry})
    beliefs.vouch(nodes.root)
    assert beliefs.of(node) is entry
    assert beliefs.doubt() == [node]
    assert beliefs.of(node) is None
    assert beliefs.vouched_s(nodes.root) <= 0
    assert node.target == b""
    assert beliefs.doubt() == [], "the kernel was told nothing since"
    nodes.root.listed = Listed(time.monotonic(), {b"a": entry})
    assert beliefs.of(node) is entry, "what was read after it is believed"


def test_of_many_files_only_those_told_last_are_remembered(
    nodes: Nodes, beliefs: Beliefs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOLD_AT_MOST", 2)
    told = [known(nodes, b"%d" % number, file(number)) for number in range(3)]
    for node in (*told, told[1]):
        beliefs.told(node)
    assert beliefs.doubt() == [told[2], told[1]]


def test_name_that_leads_to_another_file_is_looked_up_anew(nodes: Nodes, beliefs: Beliefs) -> None:
    node = known(nodes, b"a", file(7))
    nodes.root.listed = Listed(LONG_AGO_S, {b"a": file(7)})
    beliefs.check_same(node, file(7))
    with pytest.raises(Stale):
        beliefs.check_same(node, file(8))
    assert nodes.root.listed.entries[b"a"] is None, "or the kernel would be told of seven again"


def test_absence_is_believed_for_a_moment_and_never_where_nothing_is(nodes: Nodes) -> None:
    beliefs = Beliefs(nodes, MountOptions())
    assert beliefs.absence_s == 0.0
    believed_s = beliefs.absence_told()
    assert 0.0 < believed_s <= module.ABSENCE_S < beliefs.absence_s, "the kernel counts in ticks"
    strict = Beliefs(nodes, MountOptions(attributes_s=0.0, names_s=0.0))
    assert (strict.absence_told(), strict.absence_s) == (0.0, 0.0)
