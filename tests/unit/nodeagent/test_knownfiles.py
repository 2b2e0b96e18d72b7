"""A file that was exchanged while its job moved is not opened for it."""

import os
import stat

import pytest

from nodeagent.shim.filemounts import KnownFile
from nodeagent.shim.knownfiles import difference

SECRET = KnownFile(path="/f", user="ada", mode=0o600, is_folder=False, writable=True)
PUBLIC = KnownFile(path="/f", user="ada", mode=0o644, is_folder=False, writable=False)


def status(mode: int) -> os.stat_result:
    return os.stat_result((mode, *(0 for _ in range(9))))


@pytest.mark.parametrize(
    ("file", "mode", "user", "is_real", "reason"),
    [
        (SECRET, stat.S_IFREG | 0o600, "ada", True, ""),
        (PUBLIC, stat.S_IFREG | 0o644, "1005", True, ""),
        (SECRET, stat.S_IFREG | 0o600, "ada", False, "leads elsewhere through a link"),
        (SECRET, stat.S_IFIFO | 0o600, "ada", True, "is something else by now"),
        (SECRET, stat.S_IFREG | 0o640, "ada", True, "has another mode by now"),
        (SECRET, stat.S_IFREG | 0o600, "root", True, "belongs to root here"),
    ],
)
def test_only_the_same_file_is_opened_again(
    file: KnownFile, mode: int, user: str, is_real: bool, reason: str
) -> None:
    found = difference(file, status(mode), user, is_real=is_real)
    assert found.startswith(reason) and bool(found) == bool(reason)
