import os
from pathlib import Path

from nodeagent.mechanism.pidfile import open_process, start_ticks, write_pidfile


def test_named_process_is_found() -> None:
    assert start_ticks(os.getpid()) > 0


def test_running_process_is_opened(tmp_path: Path) -> None:
    write_pidfile(tmp_path / "agent.pid", os.getpid())
    found = open_process(tmp_path / "agent.pid")
    assert found is not None
    pid, process = found
    os.close(process)
    assert pid == os.getpid()


def test_pid_that_is_somebody_elses_by_now_is_gone(tmp_path: Path) -> None:
    (tmp_path / "agent.pid").write_text(f"{os.getpid()} {start_ticks(os.getpid()) + 1}\n")
    assert open_process(tmp_path / "agent.pid") is None


def test_missing_or_broken_file_names_nobody(tmp_path: Path) -> None:
    assert open_process(tmp_path / "agent.pid") is None
    (tmp_path / "agent.pid").write_text("half")
    assert open_process(tmp_path / "agent.pid") is None
