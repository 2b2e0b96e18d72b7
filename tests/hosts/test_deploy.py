"""``ssi up`` and ``ssi down`` on real hosts, over their real sshd."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ssi.lab import Host, Lab
from tests.hosts.system import Ssi, eventually, pid_of

STATE = "/var/lib/ssi"
ALL_OF_IT = f"{STATE} /run/ssi /usr/local/bin/ssi"


@pytest.fixture
def ssi(lab: Lab, tmp_path: Path) -> Iterator[Ssi]:
    """A user of this machine, and hosts that nothing was ever deployed to."""
    system = Ssi(lab, tmp_path / "config")
    yield system
    result = system("down", "n1..n3", "--force", "--forget")
    assert result.status == 0, result


@pytest.fixture
def n1(lab: Lab) -> Host:
    return lab.host("n1")


@pytest.fixture
def ssh_home(ssi: Ssi, tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Gives ssh a configuration of the test's own, by a program of that name in front of it."""

    def make(text: str) -> dict[str, str]:
        config, folder = tmp_path / "ssh_config", tmp_path / "bin"
        shared = ssi.lab.ssh_config.read_text()
        config.write_text(f"{text}\n{shared}")
        folder.mkdir(exist_ok=True)
        program = folder / "ssh"
        program.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {shlex.quote(str(config))} "$@"\n')
        program.chmod(0o755)
        return {**ssi.environment, "PATH": f"{folder}:{os.environ['PATH']}", "SSI_LAB": "none"}

    return make


def run_with(
    environment: dict[str, str], ssi: Ssi, *words: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ssi.words(*words),
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def out_of(host: Host, script: str, user: str = "root") -> str:
    done = host.run("sh", "-c", script, user=user)
    return done.stdout.decode()


def agents_of(host: Host) -> str:
    return out_of(host, "cat /run/ssi/agent.pid /run/ssi/keeper.pid")


# What it does


def test_three_hosts_come_up_at_once_under_numbers_of_their_own(ssi: Ssi) -> None:
    ssi.ok("up", "n1..n3")
    assert {row["name"]: row["number"] for row in ssi.json("nodes")} == {"n1": 1, "n2": 2, "n3": 3}


def test_a_second_up_changes_nothing(ssi: Ssi, n1: Host) -> None:
    ssi.ok("up", "n1")
    before = agents_of(n1), out_of(n1, f"find {STATE} -newer {STATE}/deployed -name deployed")
    roster = (ssi.config / "cluster").read_bytes()
    assert "unchanged as node 1" in ssi("up", "n1").err
    assert (agents_of(n1), before[1]) == before
    assert (ssi.config / "cluster").read_bytes() == roster


def test_every_user_of_a_node_has_the_command(ssi: Ssi, n1: Host) -> None:
    ssi.ok("up", "n1,n2")
    for user in ("root", "ada"):
        assert "n2" in out_of(n1, "ssi nodes", user)


def test_agent_only_leaves_the_command_out(ssi: Ssi, n1: Host) -> None:
    ssi.ok("up", "n1", "--agent-only")
    assert out_of(n1, f"ls /usr/local/bin/ssi 2>&1; ls {STATE}/bundles | wc -l").endswith("\n1\n")
    ssi.ok("up", "n1")
    assert "n1" in out_of(n1, "ssi nodes")


def test_a_node_that_was_not_named_learns_of_the_new_one(ssi: Ssi, lab: Lab) -> None:
    ssi.ok("up", "n1")
    ssi.ok("up", "n2")
    eventually(lambda: "n2" in out_of(lab.host("n1"), "ssi nodes"), within_s=10, what="n1 knows n2")


def test_a_number_is_never_given_to_another_node(ssi: Ssi) -> None:
    ssi.ok("up", "n1,n2")
    ssi.ok("down", "n2")
    ssi.ok("up", "n3")
    assert {row["name"]: row["number"] for row in ssi.json("nodes")} == {"n1": 1, "n3": 3}


def test_another_version_replaces_keeper_and_agent_and_leaves_jobs_alone(
    ssi: Ssi, n1: Host
) -> None:
    ssi.ok("up", "n1")
    job = ssi.detached("n1", "sleep", "1000")
    before = pid_of(n1, "agent"), pid_of(n1, "keeper")
    deployed = out_of(n1, f"cat {STATE}/deployed")
    other = "0" * 24
    agent = deployed.split('"agent": "')[1][:24]
    out_of(
        n1,
        f"cp -r {STATE}/bundles/{agent} {STATE}/bundles/{other} && kill $(cut -d' ' -f1 "
        "/run/ssi/keeper.pid) && sleep 1",
    )
    out_of(
        n1,
        f"PYTHONPATH={STATE}/bundles/{other}/lib setsid python3 -s -P -m nodeagent.keeper "
        "--name n1 </dev/null >/dev/null 2>&1 & sleep 1",
    )
    assert "updated as node 1" in ssi("up", "n1").err
    assert pid_of(n1, "agent") != before[0]
    assert pid_of(n1, "keeper") != before[1]
    eventually(lambda: ssi.job(job)["state"] == "running", within_s=10, what="the job is adopted")


def test_a_damaged_bundle_is_sent_again(ssi: Ssi, n1: Host) -> None:
    ssi.ok("up", "n1")
    out_of(n1, f"truncate -s0 {STATE}/bundles/*/lib/nodeagent/agent.py")
    assert "upload" in ssi("up", "n1").err
    assert out_of(n1, f"wc -c < $(echo {STATE}/bundles/*/lib/nodeagent/agent.py)") != "0\n"


def test_a_user_who_is_not_root_deploys_to_their_own_account(ssi: Ssi, n1: Host) -> None:
    try:
        assert "joined as node 1" in ssi("up", "ada@n1").err
        assert "n1" in out_of(n1, "~/.local/bin/ssi nodes", "ada")
        assert out_of(n1, f"ls {ALL_OF_IT} 2>/dev/null") == ""
        assert out_of(n1, "find ~/.local/state/ssi -maxdepth 1 -perm /077", "ada") == ""
    finally:
        ssi.ok("down", "n1")
    assert out_of(n1, "find ~/.local -type f; pgrep -u ada -f '[n]odeagent'", "ada") == ""


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


# What it refuses


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
    n1.cut()
    try:
        started_s = time.monotonic()
        result = ssi("up", "n1..n3")
        took_s = time.monotonic() - started_s
    finally:
        n1.heal()
    assert result.status == 50
    assert took_s < 25
    assert "n1: no connection to" in result.err
    assert "n2: ok: joined as node 1" in result.err
    assert "n3: ok: joined as node 2" in result.err
    again = ssi("up", "--retry")
    assert again.status == 0, again
    assert "n1: ok: joined as node 3" in again.err
    assert "n2: ok" not in again.err
    assert "no host failed last time" in ssi("up", "--retry").err


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


# What it keeps secret


def test_no_secret_is_ever_on_a_command_line_or_in_an_environment(ssi: Ssi, n1: Host) -> None:
    watch = (
        "import glob,sys,time\nend=time.time()+25\nseen=set()\n"
        "while time.time()<end and not glob.glob('/run/stop-watching'):\n"
        " for p in glob.glob('/proc/[0-9]*/cmdline')+glob.glob('/proc/[0-9]*/environ'):\n"
        "  try: seen.add(open(p,'rb').read())\n"
        "  except OSError: pass\n"
        "sys.stdout.buffer.write(b'\\n'.join(seen))"
    )
    watcher = subprocess.Popen(n1.ssh_command("python3", "-c", watch), stdout=subprocess.PIPE)
    try:
        ssi.ok("up", "n1")
        ssi.ok("up", "n1")
    finally:
        n1.run("touch", "/run/stop-watching")
        seen, _ = watcher.communicate(timeout=60)
        n1.run("rm", "/run/stop-watching")
    assert b"nodeagent.keeper" in seen
    secrets = [
        Path(n1.root, "var/lib/ssi/node.key").read_bytes().split()[1],
        (ssi.config / "client.key").read_bytes().split()[1],
    ]
    assert not [secret for secret in secrets if secret in seen]
    logs = out_of(n1, f"cat {STATE}/*.log").encode()
    assert not [secret for secret in secrets if secret in logs]


def test_private_files_are_private_whatever_the_umask(ssi: Ssi, n1: Host) -> None:
    out_of(n1, "cp /root/.bashrc /root/.bashrc.kept 2>/dev/null; echo umask 000 >> /root/.bashrc")
    old = os.umask(0)
    try:
        ssi.ok("up", "n1")
    finally:
        os.umask(old)
        out_of(n1, "rm /root/.bashrc; mv /root/.bashrc.kept /root/.bashrc 2>/dev/null; true")
    loose = f"find {STATE} /run/ssi -perm /077 ! -path '{STATE}/bundles*' ! -type l"
    assert set(out_of(n1, loose).split()) <= {
        STATE,
        "/run/ssi",
        "/run/ssi/door.sock",
        "/run/ssi/agent.pid",
        "/run/ssi/keeper.pid",
    }
    assert out_of(n1, f"find {STATE} /run/ssi /usr/local/bin/ssi -perm /022 ! -type s") == ""
    assert out_of(n1, f"stat -c %a {STATE} {STATE}/node.key").split() == ["711", "600"]
    for path in ssi.config.rglob("*"):
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


# What it leaves


def test_down_leaves_no_file_and_no_process(ssi: Ssi, lab: Lab) -> None:
    before = {host.name: _everything(host) for host in lab.hosts}
    ssi.ok("up", "n1..n3")
    ssi.ok("down")
    for host in lab.hosts:
        assert _everything(host) == before[host.name]
        assert out_of(host, "pgrep -f '[n]odeagent'") == ""
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
            within_s=10,
            what=f"{name} knows that n3 is gone",
        )


def test_a_host_that_cannot_be_reached_stays_in_the_roster_unless_forgotten(
    ssi: Ssi, lab: Lab, ssh_home: Callable[[str], dict[str, str]]
) -> None:
    environment = ssh_home("Host n2\n  ConnectTimeout 2")
    assert run_with(environment, ssi, "up", "n1,n2").returncode == 0
    lab.host("n2").cut()
    try:
        assert run_with(environment, ssi, "down", "n2").returncode == 50
        assert set(ssi.states()) == {"n1", "n2"}
        assert run_with(environment, ssi, "down", "n2", "--forget").returncode == 50
        assert set(ssi.states()) == {"n1"}
    finally:
        lab.host("n2").heal()
    assert ssi("down", "n2").status == 0
    assert run_with(environment, ssi, "down", "n1").returncode == 0


def _everything(host: Host) -> str:
    return out_of(host, "find /var/lib /run /usr/local /etc /root /home -xdev | sort; ls /tmp")
