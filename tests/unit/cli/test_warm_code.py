"""Code on the disk that differs from the code in memory is noticed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ssi.cli.warm.code import LoadedCode
from ssi.cli.warm.watch import Watch


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "module.py"
    path.write_text("one")
    return path


def test_code_that_nobody_touched_is_current(module: Path) -> None:
    assert LoadedCode([str(module), str(module.parent), "/never/there"]).is_current()


def test_changed_code_is_not_current(module: Path) -> None:
    code = LoadedCode([str(module)])
    os.utime(module, ns=(1, 1))
    assert not code.is_current()


def test_removed_code_is_not_current(module: Path) -> None:
    code = LoadedCode([str(module)])
    module.unlink()
    assert not code.is_current()


def test_a_link_that_leads_elsewhere_is_not_current(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "module.py").write_text(name)
    current = tmp_path / "current"
    current.symlink_to("old")
    code = LoadedCode([str(current / "module.py")])
    assert code.is_current()
    current.unlink()
    current.symlink_to("new")
    assert not code.is_current()


def test_code_that_was_written_to_in_its_place_is_not_current(module: Path) -> None:
    code = LoadedCode([str(module)])
    status = module.stat()
    with module.open("r+") as file:
        file.write("two!")
    os.utime(module, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert not code.is_current()
    assert not code.is_current()  # the kernel tells once


def test_replaced_code_is_not_current(module: Path) -> None:
    code = LoadedCode([str(module)])
    new = module.with_name("new.py")
    new.write_text("two")
    new.replace(module)
    assert not code.is_current()


def test_code_behind_a_link_is_watched_where_it_is(tmp_path: Path) -> None:
    for name in ("links", "files"):
        (tmp_path / name).mkdir()
    file, link = tmp_path / "files" / "module.py", tmp_path / "links" / "module.py"
    file.write_text("one")
    link.symlink_to(file)
    code = LoadedCode([str(link)])
    assert code.is_current()
    file.write_text("longer")
    assert not code.is_current()


def test_code_that_comes_where_there_was_none_is_not_current(tmp_path: Path) -> None:
    code = LoadedCode([str(tmp_path / "packages")])
    (tmp_path / "packages").mkdir()
    assert not code.is_current()


def test_no_file_is_looked_at_while_nothing_happens(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, looks = LoadedCode([str(module)]), []
    look = code._look

    def counted(places: Any) -> bool:  # Any: what is passed on
        looks.append(1)
        return look(places)

    monkeypatch.setattr(code, "_look", counted)
    assert code.is_current()
    assert looks == []
    module.with_name("other.py").write_text("one")
    assert code.is_current()
    assert looks == [1]
    assert code.is_current()
    assert looks == [1]
    assert code.is_current(thorough=True)
    assert looks == [1, 1]


def test_each_file_is_looked_at_where_the_kernel_watches_nothing(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_directories: object) -> Watch:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(Watch, "of", refused)
    code = LoadedCode([str(module)])
    assert code.is_current()
    with module.open("a") as file:
        file.write("two")
    assert not code.is_current()


def test_a_watch_that_sees_no_more_is_never_quiet(tmp_path: Path) -> None:
    watched = tmp_path / "watched"
    watched.mkdir()
    watch = Watch.of([str(watched)])
    assert watch.is_quiet()
    watched.rename(tmp_path / "elsewhere")
    assert not watch.is_quiet()
    assert not watch.is_quiet()
    watch.close()
    with pytest.raises(OSError, match="No such file"):
        Watch.of([str(watched)])


def test_our_own_modules_are_watched_and_packages_by_their_directory() -> None:
    import ssi.cli.warm.code as module

    watched = LoadedCode.of_this_process()._marks
    assert module.__file__ in watched
    assert not any(file.endswith("typer/__init__.py") for file in watched)
