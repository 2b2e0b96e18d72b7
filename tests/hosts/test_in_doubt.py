"""A job that was given to a node which then fell silent: what its user is told, and can do."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts.moving import processes_of
from tests.hosts.striking import in_doubt, outer_pid
from tests.hosts.system import COMMAND_TIMEOUT_S, Ssi, eventually, pid_of

LOOKED_FOR_S = 3.0
COUNTS = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done"


@pytest.fixture
def doubted(ssi: Ssi) -> Iterator[str]:
    """A job whose destination stands still since it was committed."""
    gpid = ssi.detached("n1", "sh", "-c", COUNTS)
    with in_doubt(ssi, gpid):
        yield gpid
    eventually(lambda: ssi.job(gpid)["state"] == "running", what="it is settled")
    eventually(lambda: gpid in processes_of(ssi, gpid), what="its process has its name")
    ssi.ok("kill", gpid)


def used_s(pid: int) -> float:
    """Processor time of a process of this machine."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_who_looks_at_it_is_told_waits_and_can_leave(ssi: Ssi, doubted: str) -> None:
    frozen = ssi("freeze", doubted)
    assert (frozen.status, "given to n2" in frozen.err) == (23, True), frozen
    disowned = ssi("disown", doubted)
    assert (disowned.status, "given to n2" in disowned.err) == (23, True), disowned
    agent = outer_pid(ssi.host("n1"), pid_of(ssi.host("n1"), "agent"))
    with ssi.start("attach", doubted) as viewer:
        try:
            assert viewer.stderr is not None
            line = viewer.stderr.readline().decode()
            assert line.startswith(f"ssi: job {doubted} neither runs on nor ends: in doubt"), line
            assert line.endswith("; ^C twice leaves it\n"), line
            before_s = used_s(agent), used_s(viewer.pid)
            time.sleep(LOOKED_FOR_S)
            after_s = used_s(agent), used_s(viewer.pid)
            spent_s = sum(after_s) - sum(before_s)
            assert spent_s < LOOKED_FOR_S / 4, "it waits, and does not ask all the time"
            viewer.send_signal(signal.SIGINT)
            with pytest.raises(subprocess.TimeoutExpired):
                viewer.wait(1.5)
            viewer.send_signal(signal.SIGINT)
            _out, error = viewer.communicate(timeout=COMMAND_TIMEOUT_S)
        finally:
            viewer.kill()
    assert viewer.returncode == 128 + signal.SIGINT, error
    assert f"left job {doubted}, which goes on" in error.decode()
