"""Links of users lead root nowhere but to what is theirs."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from nodeagent.mechanism import trustedpath
from nodeagent.mechanism.pinned import identity_of

SOMEBODY = 12345


def theirs(*paths: Path) -> None:
    """These belong to a user; where we are none, they do already."""
    if os.geteuid() == 0:
        for path in paths:
            os.lchown(path, SOMEBODY, SOMEBODY)


def reached(path: Path) -> str:
    with trustedpath.directory_at(str(path)) as descriptor:
        return os.readlink(f"/proc/self/fd/{descriptor}")


def test_a_path_without_links_is_walked(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    assert reached(tmp_path / "a/b") == str(tmp_path / "a/b")
    with trustedpath.parent_of(str(tmp_path / "a/b")) as (folder, name):
        assert (os.readlink(f"/proc/self/fd/{folder}"), name) == (str(tmp_path / "a"), "b")


def test_only_what_it_was_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("mine")
    was = identity_of(path.stat())
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "theirs").rename(path)
    trustedpath.remove(str(path), was)
    assert path.read_text() == "theirs"
    trustedpath.remove(str(path), identity_of(path.stat()))
    assert not path.exists()


@pytest.mark.parametrize("target", ["a/b", "../{name}/a/b", "{whole}/a/b", "./a/../a/b/"])
def test_a_link_to_what_its_owner_owns_is_followed(tmp_path: Path, target: str) -> None:
    (tmp_path / "a/b/c").mkdir(parents=True)
    (tmp_path / "link").symlink_to(target.format(name=tmp_path.name, whole=tmp_path))
    theirs(tmp_path / "link", tmp_path / "a/b")
    assert reached(tmp_path / "link/c") == str(tmp_path / "a/b/c")


def test_a_link_of_a_user_to_what_is_not_theirs_is_refused(tmp_path: Path) -> None:
    for number, target in enumerate(("/usr", "/usr/lib", "../" * 20 + "usr")):
        link = tmp_path / str(number)
        link.symlink_to(target)
        theirs(link)
        with pytest.raises(OSError, match="leads to what is not theirs"):
            reached(link)
        with pytest.raises(OSError, match="leads to what is not theirs"):
            reached(link / "share")


def test_links_through_links_are_each_judged(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "second").symlink_to("/usr")
    (tmp_path / "first").symlink_to("second/lib")
    theirs(tmp_path / "own", tmp_path / "first", tmp_path / "second")
    with pytest.raises(OSError, match="leads to what is not theirs"):
        reached(tmp_path / "first")


def test_a_link_of_root_is_followed() -> None:
    link = next(path for path in map(Path, ("/bin", "/lib", "/var/run")) if path.is_symlink())
    assert reached(link) == str(link.resolve())


def test_a_ring_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError) as caught:
        reached(tmp_path / "a")
    assert caught.value.errno == errno.ELOOP


def test_what_is_missing_or_no_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path, number in (("nothing/x", errno.ENOENT), ("file/x", errno.ENOTDIR)):
        with pytest.raises(OSError) as caught:
            reached(tmp_path / path)
        assert caught.value.errno == number


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "bad").symlink_to("/usr")
    (tmp_path / "file").write_text("x")
    theirs(tmp_path / "a", tmp_path / "link", tmp_path / "bad")
    before = os.listdir("/proc/self/fd")
    for path in ("a", "link", "bad", "file", "nothing", "link/../bad"):
        try:
            reached(tmp_path / path)
        except OSError:
            continue
    assert os.listdir("/proc/self/fd") == before


def test_nothing_is_removed_behind_a_link_to_what_is_not_theirs(tmp_path: Path) -> None:
    (tmp_path / "roots").mkdir()
    for name in ("file", "other"):
        (tmp_path / "roots" / name).write_text("precious")
    (tmp_path / "roots/empty").mkdir()
    (tmp_path / "link").symlink_to("roots")
    if os.geteuid() == 0:
        os.lchown(tmp_path / "link", SOMEBODY, SOMEBODY)
        trustedpath.remove(str(tmp_path / "link/file"))
        trustedpath.remove_directory(str(tmp_path / "link/empty"))
        assert (tmp_path / "roots/file").exists() and (tmp_path / "roots/empty").exists()
    trustedpath.remove(str(tmp_path / "roots/other"))
    trustedpath.remove_directory(str(tmp_path / "roots/empty"))
    trustedpath.remove(str(tmp_path / "roots/was never there"))
    assert [each.name for each in (tmp_path / "roots").iterdir()] == ["file"]
