"""Which attributes a copy gets."""

from __future__ import annotations

import stat

from ssi.client.files.keeping import ordinary, preserved, without_strangers
from ssi.client.files.tree import Attributes, Change


def file(mode: int = 0o644, user: str = "ada", group: str = "users") -> Attributes:
    return Attributes(
        mode=stat.S_IFREG | mode,
        size=1,
        atime_ns=1,
        mtime_ns=2,
        uid=1000,
        gid=100,
        user=user,
        group=group,
        links=1,
        identity=(1, 2),
        device=0,
        blocks=8,
    )


def test_root_preserves_everything() -> None:
    kept = preserved(file(0o4755), "root")
    assert kept == Change(mode=0o4755, user="ada", group="users", atime_ns=1, mtime_ns=2)


def test_set_user_id_is_never_given_to_another_user() -> None:
    assert preserved(file(0o4755), "ada").mode == 0o4755
    assert preserved(file(0o4755), "eve").mode == 0o755
    assert preserved(file(0o4755, user=""), "root").mode == 0o755
    kept = preserved(file(0o6755), "root")
    assert without_strangers(kept, has_user=False, has_group=True).mode == 0o755
    assert without_strangers(kept, has_user=True, has_group=False).mode == 0o755
    assert ordinary(file(0o4755), None, "root", 0).mode == 0o755
    assert ordinary(file(0o755), file(0o4755), "root", 0).mode == 0o755


def test_new_file_obeys_the_umask_and_an_old_one_keeps_its_mode() -> None:
    assert ordinary(file(0o666), None, "ada", 0o027) == Change(mode=0o640)
    assert ordinary(file(0o666), file(0o600), "ada", 0o027) == Change(mode=0o600)
    kept = ordinary(file(), file(0o600, "eve", "wheel"), "root", 0)
    assert kept == Change(mode=0o600, user="eve", group="wheel")
