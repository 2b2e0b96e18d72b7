from __future__ import annotations

import os
from pathlib import Path

import pytest

from nodeagent.shim.openedbefore import OpenedBefore
from ssi.model.shim import RestoreFailed
from tests.unit.nodeagent.holding import NOT_ME, holding, make_secret

ROOT = 0
NO_CRIU = ("/run/nowhere",)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    return make_secret(tmp_path)


@pytest.mark.parametrize("how", ["open", "mapped"])
@pytest.mark.parametrize("flags", ["O_RDONLY", "O_RDWR"])
def test_what_it_held_it_may_hold_again(secret: Path, flags: str, how: str) -> None:
    with holding(secret, flags, how) as pid:
        before = OpenedBefore(NOT_ME, [pid])
    with holding(secret, flags, how) as pid:
        before.check([pid], NO_CRIU)


@pytest.mark.parametrize("how", ["open", "mapped"])
def test_another_file_of_that_name_is_not_what_it_held(secret: Path, how: str) -> None:
    with holding(secret, "O_RDONLY", how) as pid:
        before = OpenedBefore(NOT_ME, [pid])
    secret.rename(secret.with_name("old"))
    make_secret(secret.parent)
    with holding(secret, "O_RDONLY", how) as pid:
        with pytest.raises(RestoreFailed) as caught:
            before.check([pid], NO_CRIU)
        assert f"{secret} is not what the job had open" in caught.value.reason
        before.check([pid], (str(secret.parent),))


def test_what_its_user_may_open_is_their_own_affair(secret: Path) -> None:
    before = OpenedBefore(os.getuid() or NOT_ME, [])
    secret.chmod(0o666)
    with holding(secret, "O_RDWR") as pid:
        before.check([pid], NO_CRIU)


def test_a_job_of_root_may_read_all(secret: Path) -> None:
    before = OpenedBefore(ROOT, [])
    with holding(secret, "O_RDONLY") as pid:
        before.check([pid], NO_CRIU)
    with holding(secret, "O_RDWR") as pid, pytest.raises(RestoreFailed):
        before.check([pid], NO_CRIU)


def test_a_process_that_is_gone_held_nothing(secret: Path) -> None:
    with holding(secret, "O_RDWR") as gone:
        pass
    before = OpenedBefore(NOT_ME, [gone])
    with holding(secret, "O_RDWR") as pid, pytest.raises(RestoreFailed):
        before.check([pid], NO_CRIU)
