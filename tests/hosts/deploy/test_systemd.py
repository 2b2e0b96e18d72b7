"""A node whose pid 1 is systemd, which holds its agent: real units, a real journal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssi.lab import Host, Lab
from tests.hosts.conftest import end_client_agent
from tests.hosts.deploy.host import out_of
from tests.hosts.system import Ssi, eventually, pid_of


@pytest.fixture
def ssi(spare_name: str, tmp_path: Path) -> Iterator[Ssi]:
    """A system of one node, on a host of systemd's."""
    system = Ssi(Lab.up(name=spare_name, size=1, init="systemd"), tmp_path / "config")
    try:
        yield system
    finally:
        end_client_agent(tmp_path)


def unit(host: Host) -> dict[str, str]:
    """How systemd sees our unit."""
    shown = out_of(host, "systemctl show ssi -p ActiveState,UnitFileState,MainPID")
    return dict(line.split("=", 1) for line in shown.splitlines())


def journal(host: Host) -> dict[str, tuple[str, str]]:
    """Who logged each kind of event of the unit last, and how gravely."""
    entries = map(json.loads, out_of(host, "journalctl -u ssi -o json").splitlines())
    return {
        entry["MESSAGE"].split()[0]: (entry["SYSLOG_IDENTIFIER"], entry["PRIORITY"])
        for entry in entries
    }


def alive(ssi: Ssi) -> list[int]:
    """The incarnations of the nodes that are alive."""
    return [row["incarnation"] for row in ssi.json("nodes") if row["state"] == "alive"]


def test_systemd_brings_the_agent_back_and_leaves_its_jobs_alone(ssi: Ssi) -> None:
    n1 = ssi.host("n1")
    ssi.ok("up", "n1", "--agent-only")
    assert out_of(n1, "systemd-analyze verify ssi.service 2>&1; echo $?") == "0\n"
    gpid = ssi.detached("n1", "sleep", "98765")
    job = out_of(n1, "pgrep -x sleep")

    agent, keeper = pid_of(n1, "agent"), pid_of(n1, "keeper")
    # 1. The keeper dies. 2. The agent misses it. 3. systemd starts one, a second later. An agent
    # that had started one at 2 would have made each of systemd's end at once, and the unit fail.
    out_of(n1, f"kill -9 {keeper}")
    eventually(lambda: pid_of(n1, "keeper") != keeper, what="another keeper")
    held = {"ActiveState": "active", "UnitFileState": "enabled"}
    eventually(
        lambda: unit(n1) == {**held, "MainPID": str(pid_of(n1, "keeper"))}, what="it is systemd's"
    )
    assert pid_of(n1, "agent") == agent

    out_of(n1, f"kill -9 {agent}")
    eventually(lambda: pid_of(n1, "agent") != agent, what="another agent")
    out_of(n1, "systemctl restart ssi")
    eventually(lambda: ssi.job(gpid)["state"] == "running", what="the job is known again")
    assert out_of(n1, "pgrep -x sleep") == job
    told = journal(n1)
    assert told["event=agent-ended"] == ("ssi-keeper", "4")
    assert told["event=ready"] == ("ssi-agent", "6")

    agents = alive(ssi)
    n1.kill()
    n1.boot()
    # It may have been away for less time than it takes to be suspected.
    eventually(lambda: alive(ssi) not in ([], agents), what="it is back with its host")
    assert unit(n1)["ActiveState"] == "active"
    [boot] = [row for row in ssi.json("doctor", "-a") if row["check"] == "boot"]
    assert "systemd starts the agent" in boot["text"], boot

    ssi.ok("down", "n1")
    gone = (
        "systemctl cat ssi; systemctl list-units --all --no-legend 'ssi*'; ls /etc/systemd/system"
    )
    assert "ssi" not in out_of(n1, gone)
