from __future__ import annotations

import os
import pwd
import stat
import subprocess
from pathlib import Path

import pytest

from nodeagent.mechanism.pinned import identity_of
from nodeagent.migration.describe import group_name, user_name
from nodeagent.migration.exchanged import Expected, check_opened
from ssi.model.shim import RestoreFailed
from ssi.protocol.migration import FileMeta
from tests.unit.nodeagent.holding import NOT_ME, holding, make_secret

ADA, ROOT = 1000, 0
FILE = stat.S_IFREG


def status(mode: int, uid: int, *, inode: int = 7, links: int = 1) -> os.stat_result:
    return os.stat_result((mode, inode, 1, links, uid, 0, 9, 0, 0, 0))


def test_what_was_brought_is_known_by_its_inode_and_not_by_its_path() -> None:
    expected = Expected(uid=ADA, brought={(1, 7)})
    assert expected.has(status(FILE | 0o600, ROOT), "/anywhere")
    assert not expected.has(status(FILE | 0o600, ROOT, inode=8), "/anywhere")


def meta(path: str, mode: int = 0o640, user: str = "root", kind: str = "file") -> FileMeta:
    return FileMeta(path=path, kind=kind, mode=mode, user=user, group=group_name(0))


def test_what_was_described_has_to_be_as_it_was() -> None:
    expected = Expected(uid=ADA, described=[meta("/var/log/x"), meta("/d", kind="directory")])
    assert expected.has(status(FILE | 0o640, ROOT), "/var/log/x")
    assert not expected.has(status(FILE | 0o640, ROOT), "/etc/shadow")
    assert not expected.has(status(FILE | 0o600, ROOT), "/var/log/x")
    assert not expected.has(status(FILE | 0o640, ADA), "/var/log/x")
    assert expected.has(status(stat.S_IFDIR | 0o640, ROOT), "/d")
    assert not expected.has(status(FILE | 0o640, ROOT), "/d")


def test_a_link_of_the_node_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to("disk")
    expected = Expected(uid=ADA, described=[meta(f"{tmp_path}/data/log")])
    assert expected.has(status(FILE | 0o640, ROOT), f"{tmp_path}/disk/log")


def test_files_of_a_network_and_for_root_those_of_the_kernel_are_let_be() -> None:
    assert Expected(uid=ADA, shared={"/nfs/x"}).has(status(FILE | 0o600, ROOT), "/nfs/x")
    assert Expected(uid=ROOT).has(status(FILE | 0o600, ROOT), "/proc/self/oom_score_adj")
    assert not Expected(uid=ADA).has(status(FILE | 0o600, ROOT), "/proc/1/mem")


def test_what_criu_has_open_in_the_processes_is_its_own() -> None:
    expected = Expected(uid=ADA, criu=("/run/ssi/images/7-2", "/run/ssi/jobs/7"))
    log = status(FILE | 0o600, ROOT)
    assert expected.has(log, "/run/ssi/jobs/7/criu/restore.log")
    assert expected.has(status(stat.S_IFDIR | 0o700, ROOT), "/run/ssi/images/7-2")
    assert not expected.has(log, "/run/ssi/images/7-22")
    assert not expected.has(log, "/run/ssi/jobs/8/criu/restore.log")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    return make_secret(tmp_path)


@pytest.mark.parametrize("how", ["open", "mapped"])
@pytest.mark.parametrize("flags", ["O_RDONLY", "O_RDWR"])
def test_a_file_that_is_not_the_users_is_found_however_it_is_held(
    secret: Path, flags: str, how: str
) -> None:
    with holding(secret, flags, how) as pid:
        with pytest.raises(RestoreFailed) as caught:
            check_opened(pid, Expected(uid=NOT_ME))
        assert f"{secret} is not what the job had open" in caught.value.reason
        check_opened(pid, Expected(uid=NOT_ME, brought={identity_of(secret.stat())}))
        me = pwd.getpwuid(os.getuid()).pw_name
        as_it_was = FileMeta(
            path=str(secret),
            kind="file",
            mode=0o600,
            user=me,
            group=group_name(secret.stat().st_gid),
        )
        check_opened(pid, Expected(uid=NOT_ME, described=[as_it_was]))


def test_a_job_of_root_may_read_all_and_writes_only_what_it_wrote(secret: Path) -> None:
    with holding(secret, "O_RDONLY") as pid:
        check_opened(pid, Expected(uid=ROOT))
    with holding(secret, "O_RDWR") as pid:
        with pytest.raises(RestoreFailed):
            check_opened(pid, Expected(uid=ROOT))
        check_opened(pid, Expected(uid=ROOT, brought={identity_of(secret.stat())}))


def test_a_child_is_looked_at_too(secret: Path) -> None:
    command = f"sleep 100 <{secret} & echo; wait"
    with subprocess.Popen(["sh", "-c", command], cwd="/", stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        (child,) = subprocess.run(
            ["pgrep", "-P", str(parent.pid)], capture_output=True, check=True
        ).stdout.split()
        try:
            with pytest.raises(RestoreFailed, match="fd 0"):
                check_opened(parent.pid, Expected(uid=NOT_ME))
        finally:
            os.kill(int(child), 9)


def test_what_has_no_name_any_more_and_devices_are_no_matter(secret: Path) -> None:
    with holding(secret, "O_RDWR") as pid:
        secret.unlink()
        check_opened(pid, Expected(uid=NOT_ME))


def test_names_of_unknown_numbers_are_the_numbers() -> None:
    assert user_name(4_000_000_000) == group_name(4_000_000_000) == "4000000000"
