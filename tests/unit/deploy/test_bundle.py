"""Bundles: what they hold, and that equal files make equal bundles."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from ssi.deploy import contents
from ssi.deploy.bundle import BLOCK_BYTES, Bundler, Layer
from ssi.deploy.errors import BundleIncomplete, NoWheel
from ssi.deploy.onhost.store import Store
from ssi.deploy.onhost.wire import Failed
from ssi.deploy.platform import Platform
from ssi.deploy.wheels import WheelStore

FILES = {"ssi/a.py": b"a", "ssi/b.py": b"b" * 5000, "zmq/c.so": b"\0\1"}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_equal_files_make_equal_bytes_in_whatever_order() -> None:
    one, two = Layer(FILES), Layer(dict(reversed(FILES.items())))
    assert one.name == two.name
    assert one.archive == two.archive


@pytest.mark.parametrize(
    "other",
    [
        {**FILES, "ssi/a.py": b"A"},
        {**FILES, "ssi/d.py": b""},
        {"ssi/A.py": b"a", "ssi/b.py": FILES["ssi/b.py"], "zmq/c.so": b"\0\1"},
    ],
)
def test_any_other_file_makes_another_name(other: dict[str, bytes]) -> None:
    assert Layer(other).name != Layer(FILES).name


def test_an_archive_names_no_owner_and_no_time() -> None:
    with tarfile.open(fileobj=io.BytesIO(Layer(FILES).archive), mode="r:gz") as tar:
        for entry in tar:
            assert (entry.uid, entry.gid, entry.uname, entry.mtime) == (0, 0, "", 0)
            assert entry.mode == 0o644


def test_room_is_counted_in_blocks() -> None:
    assert Layer(FILES).disk_bytes == 4 * BLOCK_BYTES


def test_a_layer_is_stored_whole(tmp_path: Path) -> None:
    layer, store = Layer(FILES), Store(tmp_path / "bundles", 0o755)
    assert not store.has(layer.name)
    store.put(layer.name, sha256(layer.archive), layer.archive)
    assert store.has(layer.name)
    folder = tmp_path / "bundles" / layer.name / "lib"
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES


def test_half_a_bundle_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    layer, store = Layer(FILES), Store(tmp_path, 0o755)
    half = layer.archive[: len(layer.archive) // 2]
    with pytest.raises(Failed) as caught:
        store.put(layer.name, sha256(layer.archive), half)
    assert caught.value.word == "bundle-damaged"
    assert not store.has(layer.name)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_breaks_while_unpacking_leaves_nothing(tmp_path: Path) -> None:
    raw = gzip.decompress(Layer(FILES).archive)[:1000]
    with pytest.raises(tarfile.TarError):
        Store(tmp_path, 0o755).put("x", sha256(gzip.compress(raw)), gzip.compress(raw))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../evil", "lib/../../evil", "/etc/evil", "evil", "lib//x"])
def test_an_archive_that_would_write_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        entry = tarfile.TarInfo(name)
        tar.addfile(entry, io.BytesIO())
    with pytest.raises(Failed):
        Store(tmp_path / "b", 0o755).put("x", sha256(raw.getvalue()), raw.getvalue())
    assert not (tmp_path / "b" / "x").exists()
    assert not (tmp_path / "evil").exists()


def test_a_layer_with_a_file_cut_short_counts_as_missing_and_is_replaced(tmp_path: Path) -> None:
    layer, store = Layer(FILES), Store(tmp_path, 0o755)
    store.put(layer.name, sha256(layer.archive), layer.archive)
    (tmp_path / layer.name / "lib/ssi/b.py").write_bytes(b"")
    assert not store.has(layer.name)
    store.put(layer.name, sha256(layer.archive), layer.archive)
    assert store.has(layer.name)


def test_old_layers_go_and_those_in_use_stay(tmp_path: Path) -> None:
    store = Store(tmp_path, 0o755)
    layers = [Layer({"f": bytes([number])}) for number in range(6)]
    for layer in layers:
        store.put(layer.name, sha256(layer.archive), layer.archive)
    store.prune([layers[0].name])
    assert store.has(layers[0].name)
    assert len(list(tmp_path.iterdir())) == 3


def test_the_agent_layer_has_no_face_and_no_deployment() -> None:
    files = contents.of_agent()
    assert "nodeagent/__main__.py" in files
    assert "ssi/transport/door.py" in files
    assert not [path for path in files if path.startswith(("ssi/cli", "ssi/deploy", "ssi/lab"))]
    assert not [path for path in files if "__pycache__" in path]


def test_the_faces_layer_finds_its_entry_points() -> None:
    files = contents.of_faces()
    assert "ssi/cli/main.py" in files
    assert [path for path in files if path.endswith(".dist-info/METADATA")]


def test_what_the_faces_need_is_followed_and_what_only_a_deployer_needs_is_not() -> None:
    needed = contents.face_requirements()
    assert {"typer", "rich", "clustershell", "platformdirs"} <= set(needed)
    assert not {"paramiko", "pip", "pyzmq", "msgspec", "psutil"} & set(needed)


def test_a_package_with_machine_code_is_not_copied_from_here() -> None:
    with pytest.raises(BundleIncomplete, match="machine code"):
        contents.of_installed("msgspec")
    with pytest.raises(BundleIncomplete, match="not installed"):
        contents.of_installed("no-such-package")


def test_a_wheel_is_taken_without_tests_and_sources(tmp_path: Path) -> None:
    wheel = tmp_path / "p-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("p/", "p/a.py", "p/a.pyi", "p/tests/t.py", "p/a.pyx", "p-1.dist-info/RECORD"):
            archive.writestr(name, "")
        archive.writestr("p-1.data/scripts/pfmt", "")
        archive.writestr("zstandard/_cffi.cpython-313-x86_64-linux-gnu.so", "")
        archive.writestr("zstandard/backend_c.cpython-313-x86_64-linux-gnu.so", "")
    native = "zstandard/backend_c.cpython-313-x86_64-linux-gnu.so"
    assert list(contents.of_wheel(wheel)) == ["p/a.py", "bin/pfmt", native]


HERE = os.uname().machine


@pytest.mark.parametrize(
    ("arch", "is_reached", "has", "lacks"),
    [
        (HERE, True, {"bin/shfmt", "tree_sitter_bash/x.py"}, ()),
        (HERE, False, {"bin/shfmt"}, ("tree-sitter",)),
        ("riscv64", True, {"bin/shfmt", "tree_sitter_bash/x.py"}, ()),
        ("riscv64", False, set(), ("shfmt-py", "tree-sitter")),
    ],
)
def test_the_shell_gets_what_it_reads_lines_with_or_a_word_of_why_not(
    arch: str,
    is_reached: bool,
    has: set[str],
    lacks: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[list[str]] = []

    def fetch(
        wanted: Mapping[str, str], platform: Platform, shelf: Path, more: Sequence[str] = ()
    ) -> None:
        asked.append(list(wanted))
        assert more  # in haste: it can be done without
        shelf.mkdir(parents=True, exist_ok=True)
        if not is_reached:
            raise NoWheel(package="x", platform=str(platform), reason="no index")
        for name, version in wanted.items():
            stem = name.replace("-", "_")
            with zipfile.ZipFile(shelf / f"{stem}-{version}-py3-none-any.whl", "w") as archive:
                script = f"{stem}-{version}.data/scripts/shfmt"
                archive.writestr(script if name == "shfmt-py" else f"{stem}/x.py", "x")

    monkeypatch.setattr("ssi.deploy.wheels._fetch", fetch)
    platform = Platform(python=(3, 13), abi="cp313", arch=arch, libc="glibc", libc_version=(2, 41))
    for _ in range(2):  # what was refused, or is here, is not asked for again at once
        layer = Bundler(WheelStore(tmp_path)).faces_layer(platform)
    assert {"bin/shfmt", "tree_sitter_bash/x.py"} & set(layer.files) == has
    assert [each for each in ("shfmt-py", "tree-sitter") if each in layer.lacks] == list(lacks)
    assert ("no index (asked 0 min ago" in layer.lacks) == bool(lacks)
    assert len(asked) == (1 if arch == HERE else 2)
    Store(tmp_path, 0o755).put(layer.name, sha256(layer.archive), layer.archive)
    folder = tmp_path / layer.name / "lib"
    executable = [
        str(p.relative_to(folder))
        for p in folder.rglob("*")
        if p.is_file() and os.access(p, os.X_OK)
    ]
    assert executable == sorted({"bin/shfmt"} & has)
