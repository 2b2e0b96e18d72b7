"""Who has a file open."""

from __future__ import annotations

import subprocess
from pathlib import Path

from nodeagent.mechanism.openfiles import writers_outside


def test_who_asks_is_none_of_the_others_that_have_a_file_open(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with path.open("w") as mine:
        status = path.stat()
        wanted = frozenset({(status.st_dev, status.st_ino)})
        assert writers_outside(wanted, frozenset(), "") == {}
        with subprocess.Popen(["sleep", "60"], stdout=mine) as other:
            assert writers_outside(wanted, frozenset(), "") == {status.st_ino: other.pid}
            assert writers_outside(wanted, frozenset({other.pid}), "") == {}
            other.kill()
