"""Whether the kernel lets a process ask before it closes a descriptor, as it really is."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

IN_A_FILTER = """
import os
from nodeagent.mechanism import calls, closes, libc
assert closes.are_told()
listener = libc.system_call(calls.number_of("seccomp"), *closes.asking())
assert listener > 0
# Another listener in one process: EBUSY (seccomp(2)).
told = closes.are_told()
os.write(1, b"told" if told else b"not told")
os._exit(0)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="a filter wants CAP_SYS_ADMIN")
def test_a_process_under_a_filter_with_a_listener_has_no_other() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_A_FILTER], capture_output=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"not told"), done
