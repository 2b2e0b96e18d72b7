"""What a machine that is no node lets jobs elsewhere see."""

from __future__ import annotations

from pathlib import Path

from nodeagent.exported import ASKED_S, LEFT_S, MISSED_S, SAVED_S, Exported

HOME = "/home/bob"


def exported(folder: Path, now_s: float = 0.0) -> Exported:
    return Exported(folder / "exported", now_s)


def test_node_adds_nothing_to_what_was_asked_for(tmp_path: Path) -> None:
    paths = exported(tmp_path)
    paths.ask([HOME], 0.0)
    paths.settle({HOME, "/", "/etc"}, 1.0, all_told=True)
    assert paths.paths() == (HOME,)


def test_path_stays_while_its_job_may_be_about_to_start(tmp_path: Path) -> None:
    paths = exported(tmp_path)
    paths.ask([HOME], 0.0)
    paths.settle((), ASKED_S - 1, all_told=True)
    assert paths.paths() == (HOME,) and paths.is_asked(ASKED_S - 1)
    paths.settle((), ASKED_S + 1, all_told=True)
    assert paths.paths() == () and not paths.is_asked(ASKED_S + 1)


def test_path_stays_as_long_as_a_job_needs_it(tmp_path: Path) -> None:
    paths = exported(tmp_path)
    paths.ask([HOME, "/srv"], 0.0)
    paths.settle({HOME}, 10 * MISSED_S, all_told=True)
    assert paths.paths() == (HOME,)


def test_path_stays_a_while_after_the_last_node_that_needed_it(tmp_path: Path) -> None:
    paths = exported(tmp_path)
    paths.ask([HOME], 0.0)
    paths.settle({HOME}, 1000.0, all_told=True)
    paths.settle((), 1000.0 + LEFT_S - 1, all_told=True)
    paths.settle({HOME}, 2000.0, all_told=True)
    again = exported(tmp_path, 3000.0)
    for each in (paths, again):
        each.settle((), 3000.0 if each is again else 2000.0, all_told=True)
        assert each.paths() == (HOME,)
        each.settle((), 3000.0 + LEFT_S, all_told=True)
        assert each.paths() == ()


def test_path_stays_for_a_day_where_not_every_node_has_told(tmp_path: Path) -> None:
    paths = exported(tmp_path)
    paths.ask([HOME], 0.0)
    paths.settle((), MISSED_S - 1, all_told=False)
    assert paths.paths() == (HOME,)
    paths.settle((), MISSED_S + 1, all_told=False)
    assert paths.paths() == ()


def test_next_agent_goes_on_with_what_jobs_needed_lately(tmp_path: Path) -> None:
    paths = exported(tmp_path)
    paths.ask([HOME], 0.0)
    for now_s in (SAVED_S + 1, MISSED_S, 2 * MISSED_S):
        paths.settle({HOME}, now_s, all_told=True)
    assert exported(tmp_path, 2.5 * MISSED_S).paths() == (HOME,)
    assert exported(tmp_path, 4 * MISSED_S).paths() == ()


def test_file_that_cannot_be_read_exports_nothing(tmp_path: Path) -> None:
    (tmp_path / "exported").write_bytes(b'{"/home/bob')
    assert exported(tmp_path).paths() == ()
