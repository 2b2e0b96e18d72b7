"""What of a node is served."""

from __future__ import annotations

import os

import pytest

from nodeagent.filesystem.server.exports import (
    Export,
    Exports,
    Rule,
    is_sound,
    noting_devices,
    parse_exports,
    unserved_mounts,
)

MOUNTINFO = b"""\
21 1 0:20 / / rw shared:1 - overlay overlay rw
22 21 0:21 / /proc rw - proc proc rw
23 21 0:22 / /mnt/a\\040b rw - sysfs sysfs rw
24 21 0:23 / /ssi/n/n2 rw - fuse.ssi ssi:n2 rw
25 21 0:24 / /home rw - ext4 /dev/sda rw
"""


def test_devices_that_note_each_change_of_names_are_known_by_their_kind() -> None:
    assert noting_devices(MOUNTINFO) == {os.makedev(0, 20), os.makedev(0, 24)}
    assert not noting_devices(b"no table of mounts\n")


def test_without_a_file_all_but_our_own_is_served() -> None:
    rules = Exports((Export(b""),), [b"var/lib/ssi"])
    assert rules.rule(b"") is Rule.WRITE
    assert rules.rule(b"etc/passwd") is Rule.WRITE
    assert rules.rule(b"var/lib/ssi") is Rule.EMPTY
    assert rules.rule(b"var/lib/ssi/node.key") is Rule.NOTHING
    assert rules.rule(b"var/lib/ssi2") is Rule.WRITE


def test_hidden_place_within_another_is_empty_and_all_else_there_is_nothing() -> None:
    rules = Exports((Export(b""),), [b"ssi", b"ssi/n", b""])
    assert rules.rule(b"ssi") is Rule.EMPTY
    assert rules.rule(b"ssi/n") is Rule.EMPTY
    assert rules.rule(b"ssi/nn") is Rule.NOTHING
    assert rules.rule(b"ssi/n/n2") is Rule.NOTHING
    assert rules.rule(b"") is Rule.WRITE


def test_longest_path_counts_and_the_way_to_it_is_seen() -> None:
    rules = Exports(parse_exports("/srv ro\n/srv/in # remark\n/home/ada\nnonsense\n/x yz\n"), [])
    assert rules.rule(b"srv/a") is Rule.READ
    assert rules.rule(b"srv/in/a") is Rule.WRITE
    assert rules.rule(b"") is Rule.ABOVE
    assert rules.rule(b"home") is Rule.ABOVE
    assert rules.rule(b"home/bob") is Rule.NOTHING
    assert rules.rule(b"x") is Rule.NOTHING
    assert rules.shows(b"", b"srv")
    assert not rules.shows(b"", b"etc")
    assert Exports(parse_exports("/srv"), [b"proc"]).rule(b"proc") is Rule.NOTHING


def test_mounts_of_made_up_file_systems_are_found_with_their_spaces() -> None:
    assert unserved_mounts(MOUNTINFO) == (b"proc", b"mnt/a b", b"ssi/n/n2")


@pytest.mark.parametrize(
    "path", [b"..", b"a/../b", b"/a", b"a/", b"a//b", b".", b"a\0b", b"a/" * 3000 + b"a"]
)
def test_unsound_path_is_refused(path: bytes) -> None:
    assert not is_sound(path)
