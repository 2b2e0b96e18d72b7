from __future__ import annotations

from pathlib import Path

import pytest

from shell.prompt.history import Entry, History, HistoryUnusable
from shell.prompt.recall import MOST, Recall, is_secret


def entry(line: str, node: str = "n1", cwd: str = "/", number: int = 0) -> Entry:
    return Entry(line=line, started_at_s=1.5, node=node, cwd=cwd, number=number)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "history.db"


def test_a_line_is_kept_with_where_and_how_it_ended(path: Path) -> None:
    history = History(path)
    number = history.add(entry("make", node="n2", cwd="/src"))
    history.finish(number, gpid=25000001, status=2, duration_s=3.5)
    history.close()
    (kept,) = History(path).after(0, most=10)
    assert kept == Entry(
        number=number,
        line="make",
        started_at_s=1.5,
        node="n2",
        cwd="/src",
        gpid=25000001,
        status=2,
        duration_s=3.5,
    )


def test_only_its_owner_can_read_it(path: Path) -> None:
    History(path).add(entry("secret"))
    files = list(path.parent.iterdir())
    assert len(files) > 1  # what SQLite has beside it
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_another_shell_finds_a_new_line_at_once(path: Path) -> None:
    here, there = History(path), History(path)
    first = here.add(entry("one"))
    there.add(entry("two\nrows"))
    assert [each.line for each in here.after(first, most=10)] == ["two\nrows"]
    assert [each.line for each in there.after(0, most=1)] == ["two\nrows"]


def test_a_damaged_file_is_told_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(HistoryUnusable, match=r"history\.db: file is not a database"):
        History(path)
    assert path.read_bytes() == b"no database" * 1000


def test_a_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(HistoryUnusable, match="lines are not kept"):
        History(tmp_path / "data" / "history.db")


def test_a_line_comes_back_once_in_the_order_of_last_use() -> None:
    recall = Recall()
    recall.learn([entry("a", number=1), entry("b", number=2), entry("a", number=3)])
    assert list(recall.lines()) == ["a", "b"]
    assert recall.newest == 3


def test_memory_is_bounded() -> None:
    recall = Recall()
    recall.learn(entry(f"line {number}") for number in range(MOST + 5))
    lines = list(recall.lines())
    assert (len(lines), lines[0], lines[-1]) == (MOST, f"line {MOST + 4}", "line 5")


def test_the_same_directory_is_suggested_from_first_then_the_same_node() -> None:
    recall = Recall()
    recall.learn(
        [
            entry("make here", cwd="/src"),
            entry("make there", cwd="/other"),
            entry("make far", node="n2"),
        ]
    )
    assert recall.suggest("make", node="n1", cwd="/src") == " here"
    assert recall.suggest("make", node="n1", cwd="/new") == " there"
    assert recall.suggest("make", node="n3", cwd="/new") == " far"
    assert recall.suggest("make far", node="n3", cwd="/") == ""
    assert recall.suggest(" ", node="n1", cwd="/src") == ""


def test_a_space_before_a_line_keeps_it_out() -> None:
    assert is_secret(" export TOKEN=1")
    assert not is_secret("export A=1")
