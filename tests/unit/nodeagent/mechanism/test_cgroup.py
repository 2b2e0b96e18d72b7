from pathlib import Path

import pytest

from nodeagent.mechanism import cgroup

MOUNTS = """\
31 23 0:28 / {root} rw,relatime - tmpfs tmpfs rw,mode=755
37 31 0:34 / {root}/freezer rw,relatime - cgroup cgroup rw,freezer
38 31 0:35 / {root}/blkio rw,relatime - cgroup cgroup rw,blkio
41 31 0:38 / {root}/unified rw,relatime - cgroup2 cgroup2 rw
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("freezer", "blkio", "unified"):
        (tmp_path / name).mkdir()
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(root=tmp_path))
    monkeypatch.setattr(cgroup, "_MOUNTS", mounts)
    return tmp_path


def test_version_2_is_preferred(root: Path) -> None:
    assert cgroup.make_for_job(35000017) == str(root / "unified/ssi/job-35000017")


def test_freezer_of_version_1_serves_where_version_2_refuses(root: Path) -> None:
    (root / "unified/ssi").write_text("no folder can be made below a file")
    assert cgroup.make_for_job(35000017) == str(root / "freezer/ssi/job-35000017")


@pytest.mark.parametrize(
    ("name", "frozen", "thawed"),
    [("cgroup.freeze", "1", "0"), ("freezer.state", "FROZEN", "THAWED")],
)
def test_freezing_speaks_the_language_of_the_version(
    tmp_path: Path, name: str, frozen: str, thawed: str
) -> None:
    (tmp_path / name).write_text(thawed)
    assert not cgroup.is_frozen(str(tmp_path))
    cgroup.freeze(str(tmp_path))
    assert (tmp_path / name).read_text() == frozen
    assert cgroup.is_frozen(str(tmp_path))
    cgroup.thaw(str(tmp_path))
    assert not cgroup.is_frozen(str(tmp_path))


def test_processes_of_a_job_are_those_of_the_cgroup_that_it_is_in(root: Path) -> None:
    for version, pids in (("unified", ""), ("freezer", "17\n23\n")):
        (root / version / "ssi/job-35000017").mkdir(parents=True)
        (root / version / "ssi/job-35000017/cgroup.procs").write_text(pids)
    assert cgroup.processes_of_job(35000017) == [17, 23]
    assert cgroup.processes_of_job(35000018) == []


def test_one_look_at_the_mounts_counts_for_a_while(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 100.0
    monkeypatch.setattr("nodeagent.mechanism.cgroup.time.monotonic", lambda: now_s)
    mounts = root / "mountinfo"
    assert cgroup.freezer_version() == "v1"
    mounts.write_text("")
    assert cgroup.freezer_version() == "v1"
    now_s += 2 * cgroup.LOOK_S
    assert cgroup.freezer_version() == ""
