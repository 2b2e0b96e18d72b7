"""Hosts that cannot be had: each is told in one line, and does not keep the others back."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from ssi.lab import Host, Lab
from ssi.model.nodeset import expand
from tests.hosts.deploy.host import ALL_OF_IT, STATE, agents_of, out_of, run_with
from tests.hosts.system import Ssi


def test_a_host_is_reached_through_another(
    ssi: Ssi, lab: Lab, ssh_home: Callable[[str], dict[str, str]]
) -> None:
    inner = lab.host("n2").address
    environment = ssh_home(f"Host inner\n  HostName {inner}\n  ProxyJump n1")
    done = run_with(environment, ssi, "up", "inner")
    assert done.returncode == 0, done.stderr
    assert f"joined as node 1 at {inner}" in done.stderr
    assert "from n1" not in done.stderr
    seen = out_of(lab.host("n2"), "grep -c 'Accepted publickey' /var/log/sshd.log")
    assert int(seen) >= 1
    assert run_with(environment, ssi, "down", "inner").returncode == 0


def test_a_changed_host_key_stops_with_both_fingerprints(
    ssi: Ssi, lab: Lab, tmp_path: Path, ssh_home: Callable[[str], dict[str, str]]
) -> None:
    known = (lab.ssh_config.parent / "known_hosts").read_text().splitlines()
    wrong = tmp_path / "known_hosts"
    wrong.write_text(f"{lab.host('n1').address} {known[1].split(' ', 1)[1]}\n")
    environment = ssh_home(f"Host n1\n  UserKnownHostsFile {wrong}")
    done = run_with(environment, ssi, "up", "n1", "--accept-new")
    assert done.returncode == 50
    assert "host key has CHANGED" in done.stderr
    assert done.stderr.count("SHA256:") == 2
    assert out_of(lab.host("n1"), f"ls {ALL_OF_IT} 2>/dev/null") == ""


def test_an_unknown_host_key_is_refused_off_a_terminal_and_taken_with_accept_new(
    ssi: Ssi, tmp_path: Path, ssh_home: Callable[[str], dict[str, str]]
) -> None:
    kept = tmp_path / "new" / "known_hosts"
    environment = ssh_home(f"Host n1\n  UserKnownHostsFile {kept}\n  StrictHostKeyChecking ask")
    done = run_with(environment, ssi, "up", "n1")
    assert done.returncode == 50
    assert "unknown host key ssh-ed25519 SHA256:" in done.stderr
    assert not kept.exists()
    done = run_with(environment, ssi, "up", "n1", "--accept-new")
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert run_with(environment, ssi, "up", "n1").returncode == 0


def test_a_key_that_the_host_does_not_take_is_refused(
    ssi: Ssi, tmp_path: Path, ssh_home: Callable[[str], dict[str, str]]
) -> None:
    key = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", str(key)], check=True)
    config = ssh_home("")["PATH"].split(":")[0]
    shared = Path(config).parent / "ssh_config"
    text = shared.read_text().replace(str(ssi.lab.ssh_config.parent / "key"), str(key))
    shared.write_text(text)
    environment = {**ssi.environment, "PATH": f"{config}:{os.environ['PATH']}", "SSI_LAB": "none"}
    done = run_with(environment, ssi, "up", "n1")
    assert done.returncode == 50
    assert "permission denied (publickey) for root" in done.stderr
    assert str(key) in done.stderr


def test_a_name_that_nobody_knows_is_refused(ssi: Ssi) -> None:
    result = ssi("up", "no-such-host.invalid")
    assert result.status == 50
    assert "no-such-host.invalid: this name is not known here" in result.err


def test_a_closed_port_is_refused(ssi: Ssi, ssh_home: Callable[[str], dict[str, str]]) -> None:
    done = run_with(ssh_home("Host n1\n  Port 23"), ssi, "up", "n1")
    assert done.returncode == 50
    assert "connection refused" in done.stderr


def test_a_host_without_python_is_refused(ssi: Ssi, n1: Host) -> None:
    out_of(n1, "mv /usr/bin/python3 /usr/bin/python3.away")
    try:
        result = ssi("up", "n1,n2")
    finally:
        out_of(n1, "mv /usr/bin/python3.away /usr/bin/python3")
    assert result.status == 51
    assert "n1: it has no python3" in result.err
    assert "n2: ok: joined" in result.err


def test_a_full_disk_is_refused_and_nothing_of_the_bundle_stays(ssi: Ssi, n1: Host) -> None:
    out_of(n1, f"mkdir -p {STATE} && mount -t tmpfs -o size=1m none {STATE}")
    try:
        result = ssi("up", "n1")
        left = out_of(n1, f"find {STATE} -type f")
    finally:
        out_of(n1, f"umount {STATE}")
    assert result.status == 51
    assert "n1: its disk is full: 1.0 MB free at /var/lib/ssi" in result.err
    assert left == ""


def test_a_host_that_is_cut_off_does_not_keep_the_others_back(ssi: Ssi, n1: Host) -> None:
    hurried = ssi("up", "n1..n3", "--timeout", "0.05")  # all of it; what is begun can be repeated
    assert hurried.status == 124
    # Told together where they had come equally far.
    late = re.findall(r"(\S+): not done within 0.05 s; it was at: ", hurried.err)
    assert {host for word in late for host in expand(word)} == {"n1", "n2", "n3"}, hurried.err
    assert "`ssi up --retry` finishes it [out-of-time]" in hurried.err
    n1.cut()
    try:
        result = ssi("up", "n1..n3")  # tried for 10 s: TCP alone would try for two minutes
    finally:
        n1.heal()
    assert result.status == 50
    assert "n1: no connection to" in result.err
    assert "n2: ok: joined as node 1" in result.err
    assert "n3: ok: joined as node 2" in result.err
    again = ssi("up", "--retry")
    assert again.status == 0, again
    assert "n1: ok: joined as node 3" in again.err
    assert "n2: ok" not in again.err
    assert "no host failed last time" in ssi("up", "--retry").err
    assert ssi("down", "--timeout", "0.05").status == 124
    assert set(ssi.states()) == {"n1", "n2", "n3"}


def test_a_blocked_port_is_named(ssi: Ssi, n1: Host) -> None:
    ssi.ok("up", "n1")
    port = out_of(n1, "sed 's/.*control_port\":\\([0-9]*\\).*/\\1/' /run/ssi/ready").strip()
    out_of(n1, "kill -STOP $(cut -d' ' -f1 /run/ssi/keeper.pid)")
    out_of(n1, "ip route add prohibit default 2>/dev/null; true")
    ready = Path(n1.root, "run/ssi/ready")
    told = ready.read_text()
    try:
        ready.write_text(told.replace(port, "1"))
        result = ssi("up", "n1")
    finally:
        ready.write_text(told)
        out_of(n1, "kill -CONT $(cut -d' ' -f1 /run/ssi/keeper.pid)")
    assert result.status == 51
    assert "n1: its agent runs, but port 1 of" in result.err


def test_two_deployments_at_once_end_well(ssi: Ssi, tmp_path: Path) -> None:
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(ssi("up", "n1..n3"))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.status for result in results] == [0, 0], results
    assert {row["number"] for row in ssi.json("nodes")} == {1, 2, 3}


def test_a_host_of_another_system_is_left_alone(ssi: Ssi, tmp_path: Path, n1: Host) -> None:
    ssi.ok("up", "n1")
    before = agents_of(n1)
    stranger = Ssi(ssi.lab, tmp_path / "stranger")
    stranger.ok("up", "n2")
    result = stranger("up", "n1")
    assert result.status == 10
    assert "n1: it is a node of another system" in result.err
    assert agents_of(n1) == before


def test_one_machine_by_two_names_is_told(
    ssi: Ssi, lab: Lab, ssh_home: Callable[[str], dict[str, str]]
) -> None:
    environment = ssh_home(f"Host twin\n  HostName {lab.host('n1').address}")
    assert run_with(environment, ssi, "up", "n1").returncode == 0
    done = run_with(environment, ssi, "up", "twin")
    assert done.returncode == 2
    assert "twin: this machine is the node n1 already" in done.stderr
    assert run_with(environment, ssi, "down", "n1").returncode == 0
    done = run_with(environment, ssi, "up", "n1", "twin")
    assert done.returncode == 2
    assert "already" in done.stderr
    (winner,) = [name for name in ("n1", "twin") if f"{name}: ok" in done.stderr]
    assert run_with(environment, ssi, "down", winner).returncode == 0
