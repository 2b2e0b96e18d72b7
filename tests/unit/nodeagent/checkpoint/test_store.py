from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from nodeagent.checkpoint import store as module
from nodeagent.checkpoint.manifest import Image, Manifest
from nodeagent.checkpoint.store import Store
from ssi.model.checkpoint import CheckpointRefused, CheckpointStands, CheckpointUnknown
from tests.unit.nodeagent.checkpoint.test_manifest import KEY, MANIFEST


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    # These images are no images of CRIU, and nobody's; the hosts' tests have real ones.
    monkeypatch.setattr(module, "credentials_of", lambda _images: MANIFEST.credentials)
    return Store("n1", tmp_path / "checkpoints", lambda: KEY)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    directory = tmp_path / "15000001-2"
    directory.mkdir()
    (directory / "core-300.img").write_bytes(b"core" * 1000)
    (directory / "pstree.img").write_bytes(b"tree")
    return directory


def named(name: str = "snap") -> Callable[[tuple[Image, ...]], Manifest]:
    return lambda kept: msgspec.structs.replace(MANIFEST, name=name, images=kept)


def test_what_is_kept_is_private_whole_and_found_again(store: Store, images: Path) -> None:
    manifest = store.keep(images, named())
    assert store.manifest("snap") == manifest
    store.check_images(manifest)
    assert [row.name for row in store.rows()] == ["snap"]
    for path in store.images("snap").parent.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(CheckpointStands):
        store.keep(images, named())
    assert store.rows()[0].problem == ""
    assert store.free_name("15000001-1") == "15000001-1.1"
    store.remove("snap")
    assert store.rows() == []
    with pytest.raises(CheckpointUnknown):
        store.manifest("snap")


@pytest.mark.parametrize("deed", ["flip", "truncate", "add", "take", "swap"])
def test_images_that_are_not_those_of_the_manifest_are_refused(
    store: Store, images: Path, deed: str
) -> None:
    manifest = store.keep(images, named())
    core, tree = (store.images("snap") / name for name in ("core-300.img", "pstree.img"))
    match deed:
        case "flip":
            core.write_bytes(core.read_bytes()[:-1] + b"E")
        case "truncate":
            core.write_bytes(core.read_bytes()[:-1])
        case "add":
            core.with_name("core-301.img").write_bytes(b"")
        case "take":
            tree.unlink()
        case _:
            core.rename(core.with_name("x"))
            tree.rename(core)
            core.with_name("x").rename(tree)
    with pytest.raises(CheckpointRefused):
        store.check_images(manifest)


def test_one_under_the_name_of_another_and_names_that_lead_out_are_refused(
    store: Store, images: Path
) -> None:
    store.keep(images, named())
    store.images("snap").parent.rename(store.images("older").parent)
    with pytest.raises(CheckpointRefused, match="that of snap"):
        store.manifest("older")
    assert store.rows()[0].problem
    for name in ("..", "a/b", ".part-x", "", "-x"):
        with pytest.raises(CheckpointUnknown):
            store.manifest(name)
        with pytest.raises(CheckpointUnknown):
            store.remove(name)


def test_a_disk_that_fills_leaves_nothing_behind(store: Store, images: Path) -> None:
    def complete(_kept: tuple[Image, ...]) -> Manifest:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError):
        store.keep(images, complete)
    assert store.rows() == []
    assert list(store.images("snap").parent.parent.iterdir()) == []


def test_what_an_agent_left_half_done_is_cleared(store: Store, images: Path) -> None:
    store.keep(images, named())
    half = store.images("snap").parent.parent / ".part-15000009-2"
    half.mkdir()
    store.clear()
    assert not half.exists()
    assert [row.name for row in store.rows()] == ["snap"]
