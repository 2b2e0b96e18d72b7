from __future__ import annotations

import msgspec
import pytest

from nodeagent.checkpoint.manifest import (
    Credentials,
    Image,
    Manifest,
    NotSealed,
    excess,
    misfit,
    seal,
    seal_key,
    unseal,
)
from nodeagent.mechanism.crimage import Field, encode_fields
from nodeagent.mechanism.imagecreds import parse_credentials
from ssi.model.job import JobRow, JobState

KEY = seal_key("secret")
ADA = Credentials(300, (1000,) * 8, (0, 0, 0, 0x1FF), (1000, 27))
MANIFEST = Manifest(
    version=1,
    name="snap",
    node="n1",
    row=JobRow(
        gpid=15000001,
        node="n1",
        user="ada",
        argv=("true",),
        cwd="/",
        state=JobState.RUNNING,
        start_ms=1,
    ),
    made_ms=2,
    kept=True,
    uid=1000,
    gid=1000,
    credentials=(ADA,),
    criu="4.2",
    cpu=b"",
    kernel="6.18",
    images=(Image("core-300.img", 3, b"\0" * 32), Image("pstree.img", 4, b"\1" * 32)),
    state=b"state",
    members=((300, 15000001, 1),),
)


def test_a_manifest_comes_back_as_it_was_sealed() -> None:
    assert unseal(seal(MANIFEST, KEY), KEY) == MANIFEST
    assert MANIFEST.as_row().size_bytes == 7


def test_no_bit_of_a_sealed_manifest_can_change() -> None:
    whole = seal(MANIFEST, KEY)
    for at in range(len(whole) - 1):  # the last one is a line feed
        changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        with pytest.raises(NotSealed):
            unseal(changed, KEY)


def test_another_node_has_another_seal_and_an_unknown_version_is_refused() -> None:
    with pytest.raises(NotSealed, match="seal of this node"):
        unseal(seal(MANIFEST, KEY), seal_key("another"))
    newer = msgspec.structs.replace(MANIFEST, version=2)
    with pytest.raises(NotSealed, match="version 2"):
        unseal(seal(newer, KEY), KEY)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ((ADA,), ""),
        ((), "other threads"),
        ((ADA, Credentials(301, ADA.ids, ADA.capabilities)), "thread 301"),
        ((Credentials(300, (0, *ADA.ids[1:]), ADA.capabilities, ADA.groups),), "thread 300"),
        ((Credentials(300, ADA.ids, (0, 1, 0, 0), ADA.groups),), "thread 300"),
    ],
)
def test_images_of_other_people_than_the_manifests_are_told(
    found: tuple[Credentials, ...], reason: str
) -> None:
    assert reason in misfit(MANIFEST, found)
    assert bool(reason) == bool(misfit(MANIFEST, found))


@pytest.mark.parametrize(
    ("changed", "groups", "reason"),
    [
        (ADA, {1000, 27}, ""),
        (ADA, {1000}, "in group 27, in which its owner is not"),
        (Credentials(300, (1000, 1000, 0, 1000, 0, 1000, 0, 1000), (0,) * 4), {1000}, "uid"),
        (Credentials(300, (1000,) * 8, (0, 1 << 21, 0, 0)), {1000}, "capabilities"),
    ],
)
def test_nobody_gets_back_by_a_checkpoint_what_he_may_not_do(
    changed: Credentials, groups: set[int], reason: str
) -> None:
    manifest = msgspec.structs.replace(MANIFEST, credentials=(changed,))
    told = excess(manifest, frozenset(groups))
    assert reason in told
    assert bool(told) == bool(reason)


def test_credentials_are_read_from_a_core_image() -> None:
    ids = [Field(number, 0, 1000 + number) for number in range(1, 9)]
    sets = [Field(number, 0, word) for number in (9, 10, 11, 12) for word in (number, 1)]
    groups = [Field(14, 0, 27), Field(14, 0, 5)]
    thread = encode_fields([Field(10, 2, encode_fields([*ids, *sets, *groups]))])
    core = encode_fields([Field(1, 0, 1), Field(5, 2, thread)])
    found = parse_credentials(300, core)
    assert found.ids == tuple(range(1001, 1009))
    assert found.capabilities == tuple(number + (1 << 32) for number in (9, 10, 11, 12))
    assert found.groups == (27, 5)
