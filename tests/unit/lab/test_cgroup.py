from __future__ import annotations

from pathlib import Path

from ssi.lab.cgroup import Cgroup


def cgroup_with(path: Path, *, procs: str, events: str) -> Cgroup:
    path.mkdir(parents=True, exist_ok=True)
    (path / "cgroup.procs").write_text(procs)
    (path / "cgroup.events").write_text(events)
    return Cgroup(path)


def test_processes_of_cgroups_within_count_too(tmp_path: Path) -> None:
    host = cgroup_with(tmp_path / "n1", procs="10\n11\n", events="populated 1\nfrozen 0\n")
    cgroup_with(tmp_path / "n1/job", procs="12\n", events="populated 1\nfrozen 1\n")
    assert sorted(host.pids()) == [10, 11, 12]
    assert host.populated
    assert not host.frozen
    assert host.children() == ["job"]


def test_a_cgroup_that_does_not_exist_is_empty_and_can_be_killed_and_removed(
    tmp_path: Path,
) -> None:
    absent = Cgroup(tmp_path / "gone")
    assert list(absent.pids()) == []
    assert not absent.populated
    assert absent.children() == []
    absent.kill()
    absent.remove()
    assert not absent.path.exists()
