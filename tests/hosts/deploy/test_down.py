"""``ssi down`` on real hosts, over their real sshd."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ssi.lab import Host, Lab
from tests.hosts.deploy.host import everything_of, out_of, run_with
from tests.hosts.system import Ssi, eventually


def test_down_leaves_no_file_and_no_process(ssi: Ssi, lab: Lab) -> None:
    before = {host.name: everything_of(host) for host in lab.hosts}
    ssi.ok("up", "n1..n3")
    ssi.ok("down")
    for host in lab.hosts:
        assert everything_of(host) == before[host.name]
        assert out_of(host, "pgrep -fa '[l]ib/ssi/bundles'") == ""
    assert not (ssi.config / "cluster").exists()
    assert ssi("nodes").status == 12


def test_down_refuses_while_jobs_run_and_ends_them_when_forced(ssi: Ssi, n1: Host) -> None:
    ssi.ok("up", "n1,n2")
    ssi.detached("n1", "sleep", "31234")
    result = ssi("down")
    assert result.status == 52
    assert "1 job runs on n1 and would be killed" in result.err
    assert set(ssi.states()) == {"n1", "n2"}
    assert "1 job ended" in ssi("down", "--force").err
    assert out_of(n1, "pgrep -f 'sleep 3123[4]'; ls -d /sys/fs/cgroup/ssi 2>/dev/null") == ""


def test_down_of_one_node_is_told_to_the_others(ssi: Ssi, lab: Lab) -> None:
    ssi.ok("up", "n1..n3")
    ssi.ok("down", "n3")
    for name in ("n1", "n2"):
        eventually(
            lambda name=name: "n3" not in out_of(lab.host(name), "ssi nodes"),  # type: ignore[misc]
            what=f"{name} knows that n3 is gone",
        )


def test_a_host_that_cannot_be_reached_stays_in_the_roster_unless_forgotten(
    ssi: Ssi, lab: Lab, ssh_home: Callable[[str], dict[str, str]]
) -> None:
    assert run_with(ssh_home(""), ssi, "up", "n1,n2").returncode == 0
    environment = ssh_home("Host n2\n  ConnectTimeout 2")
    lab.host("n2").cut()
    try:
        assert run_with(environment, ssi, "down", "n2").returncode == 50
        assert set(ssi.states()) == {"n1", "n2"}
        assert run_with(environment, ssi, "down", "n2", "--forget").returncode == 50
        assert set(ssi.states()) == {"n1"}
    finally:
        lab.host("n2").heal()
    assert ssi("down", "n2").status == 0
    assert run_with(ssh_home(""), ssi, "down", "n1").returncode == 0


def test_nodes_of_a_lab_that_is_removed_are_forgotten(spare_name: str, tmp_path: Path) -> None:
    system = Ssi(Lab.up(name=spare_name, size=2), tmp_path / "config")
    system.ok("up", "n1..n2")
    result = system("lab", "down", "--name", spare_name)
    assert result.status == 0
    assert result.out == f"lab {spare_name} is gone\n"
    assert result.err == "ssi: n[1-2] went with it, and are no nodes of yours any more\n"
    assert "belongs to no system" in system("nodes").err
