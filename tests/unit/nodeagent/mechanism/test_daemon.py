"""What a process without a terminal calls itself."""

from __future__ import annotations

import subprocess
import sys

from nodeagent.mechanism.daemon import own_lib

SHOW = """
from pathlib import Path
from nodeagent.mechanism.daemon import take_title
take_title("ssi-agent", "n1")
print(Path("/proc/self/comm").read_text().strip())
print(Path("/proc/self/cmdline").read_bytes().rstrip(b"\\0").decode().replace("\\0", " "))
"""


def test_title_takes_the_place_of_the_command_line() -> None:
    run = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["ssi-agent", f"ssi-agent n1 {own_lib()}"]


def test_title_that_does_not_fit_is_cut() -> None:
    code = SHOW.replace('"n1"', '"n" * 5000')
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    title = run.stdout.splitlines()[1]
    assert title.startswith("ssi-agent nnn") and len(title) < len(code) + 300
