"""Secret keys on the disk: nobody else's, and never shown."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from ssi.transport.keys import KeyPair, KeyUnusable, load_key, load_or_make_key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node.key"


@pytest.fixture
def umask_zero() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask_zero")
def test_new_key_is_private_whatever_the_umask(path: Path) -> None:
    load_or_make_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_key_is_made_once_and_kept(path: Path) -> None:
    made = load_or_make_key(path)
    assert load_or_make_key(path) == made
    assert zmq.curve_public(made.secret.encode()).decode() == made.public


def test_two_keys_differ(tmp_path: Path) -> None:
    assert load_or_make_key(tmp_path / "a") != load_or_make_key(tmp_path / "b")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o601, 0o620])
def test_key_that_others_can_touch_is_refused(path: Path, mode: int) -> None:
    load_or_make_key(path)
    path.chmod(mode)
    with pytest.raises(KeyUnusable, match=f"mode {mode:04o}"):
        load_or_make_key(path)


def test_key_of_somebody_else_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_or_make_key(path)
    monkeypatch.setattr("ssi.transport.keys.os.geteuid", lambda: 12345)
    with pytest.raises(KeyUnusable, match=f"uid {os.getuid()} owns it"):
        load_or_make_key(path)


def test_key_behind_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    load_or_make_key(tmp_path / "real")
    (tmp_path / "node.key").symlink_to(tmp_path / "real")
    with pytest.raises(KeyUnusable, match="link"):
        load_or_make_key(tmp_path / "node.key")


@pytest.mark.parametrize(
    "content",
    [b"", b"short\n", b"a" * 40 + b"\n", b"x" * 4096, b"\xff" * 81, b"\0" * 81,
     b"'" * 40 + b"\n" + b"'" * 40 + b"\n"],
)  # fmt: skip
def test_file_without_a_pair_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyUnusable):
        load_or_make_key(path)
    assert path.read_bytes() == content


def test_halves_that_do_not_match_are_refused(path: Path) -> None:
    public, _secret = zmq.curve_keypair()
    _public, secret = zmq.curve_keypair()
    path.write_bytes(public + b"\n" + secret + b"\n")
    path.chmod(0o600)
    with pytest.raises(KeyUnusable, match="do not belong together"):
        load_or_make_key(path)


def test_secret_is_never_shown(path: Path) -> None:
    pair = load_or_make_key(path)
    for text in (repr(pair), str(pair), f"{pair}", f"{[pair]}"):
        assert pair.secret not in text
        assert pair.public in text
    assert repr(KeyPair(public="p", secret="hidden")) == "KeyPair(public='p')"


def test_error_about_a_key_does_not_show_it(path: Path) -> None:
    pair = load_or_make_key(path)
    path.chmod(0o644)
    with pytest.raises(KeyUnusable) as caught:
        load_or_make_key(path)
    assert pair.secret not in str(caught.value)


def test_directory_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="No such file"):
        load_or_make_key(tmp_path / "missing" / "node.key")


def test_full_disk_leaves_no_half_a_key(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("ssi.transport.keys.os.fsync", full)
        with pytest.raises(KeyUnusable, match="No space left"):
            load_or_make_key(path)
    assert not path.exists()
    load_or_make_key(path)


def test_key_that_is_only_to_be_read_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    with pytest.raises(KeyUnusable):
        load_key(path)
    assert not path.exists()
    assert load_or_make_key(path) == load_key(path)
