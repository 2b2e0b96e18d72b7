from __future__ import annotations

import os
import stat

import pytest

from nodeagent.mechanism.heldfiles import is_open_to

ADA, OTHER, ROOT = 1000, 1001, 0


@pytest.mark.parametrize(
    ("uid", "mode", "owner", "writable", "is_open"),
    [
        (ADA, 0o600, ADA, True, True),
        (ADA, 0o644, ROOT, False, True),
        (ADA, 0o640, ROOT, False, False),
        (ADA, 0o644, ROOT, True, False),
        (ADA, 0o666, ROOT, True, True),
        (ADA, 0o600, OTHER, False, False),
        (ROOT, 0o600, ADA, False, True),
        (ROOT, 0o600, ROOT, True, False),
        (ROOT, 0o600, ADA, True, False),
    ],
)
def test_what_a_user_could_open_by_themselves(
    uid: int, mode: int, owner: int, writable: bool, is_open: bool
) -> None:
    found = is_open_to(
        uid, os.stat_result((stat.S_IFREG | mode, 7, 1, 1, owner, 0, 9, 0, 0, 0)), writable=writable
    )
    assert found is is_open
