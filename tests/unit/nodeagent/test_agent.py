"""What an agent takes over from the one before it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nodeagent.agent import next_incarnation


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "incarnation"


def test_incarnation_is_the_time_of_the_start(path: Path) -> None:
    assert next_incarnation(path, 1000.5) == 1_000_500


def test_incarnation_rises_though_the_clock_was_set_back(path: Path) -> None:
    first = next_incarnation(path, 5000.0)
    assert [next_incarnation(path, now_s) for now_s in (5000.0, 10.0, 0.0)] == [
        first + 1,
        first + 2,
        first + 3,
    ]
    assert next_incarnation(path, 9000.0) == 9_000_000


@pytest.mark.parametrize("content", [b"", b"x", b"\xff\xff"])
def test_broken_file_counts_as_none(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert next_incarnation(path, 7.0) == 7000


def test_idle_agent_loads_no_openssl() -> None:
    code = (
        "import nodeagent.__main__, nodeagent.agent, sys; print(*filter(sys.modules.get, sys.argv))"
    )
    heavy = ("ssl", "_ssl", "_hashlib", "hashlib", "statistics")
    run = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, check=True)
    assert run.stdout == b"\n"
