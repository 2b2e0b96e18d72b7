from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from nodeagent.filesystem.freshness import doubt


def test_a_file_system_that_is_no_mount_of_ours_knows_all(tmp_path: Path) -> None:
    doubt(str(tmp_path))


def test_a_mount_that_cannot_be_told_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_path: str, _name: str) -> bytes:
        raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

    monkeypatch.setattr(os, "getxattr", away)
    with pytest.raises(TimeoutError):
        doubt("/ssi/n/n1")
