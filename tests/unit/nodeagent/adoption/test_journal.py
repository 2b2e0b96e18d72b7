from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.adoption.journal import Adoption, Journal, open_processes, wake
from nodeagent.mechanism.pidfile import start_ticks


@pytest.fixture
def stopped() -> Iterator[int]:
    """A child that a dump has left stopped."""
    with subprocess.Popen(["sleep", "100"]) as child:
        os.kill(child.pid, signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        yield child.pid
        child.kill()


def adoption_of(pid: int, ticks: int, *, stopped: tuple[int, ...] = ()) -> Adoption:
    return Adoption(gpid=15000001, destination="n2", processes=((pid, ticks),), stopped=stopped)


def test_what_was_under_way_is_found_again_until_it_is_over(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "adoptions")
    assert journal.read() == []
    adoption = adoption_of(4321, 7)
    journal.write(adoption)
    assert journal.read() == [adoption]
    journal.remove(adoption.gpid)
    journal.remove(adoption.gpid)
    assert journal.read() == []


def test_a_process_that_was_left_stopped_runs_on(stopped: int) -> None:
    wake(adoption_of(stopped, start_ticks(stopped)))
    assert os.waitpid(stopped, os.WCONTINUED)[0] == stopped


def test_one_that_was_stopped_before_stays_so_and_another_of_its_pid_is_left_alone(
    stopped: int,
) -> None:
    ticks = start_ticks(stopped)
    wake(adoption_of(stopped, ticks, stopped=(stopped,)))
    wake(adoption_of(stopped, ticks + 1))
    assert os.waitpid(stopped, os.WCONTINUED | os.WNOHANG) == (0, 0)
    assert open_processes(adoption_of(stopped, ticks + 1)) == []
    (descriptor,) = open_processes(adoption_of(stopped, ticks))
    os.close(descriptor)
