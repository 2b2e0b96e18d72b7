"""The hosts of a lab are real enough to test everything else on them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import pytest

from ssi.lab import Condition, Host, Lab
from ssi.lab.errors import LabHostDownError, LabHostUnknownError
from tests.hosts.system import eventually


def run(host: Host, script: str, user: str = "root") -> str:
    done = host.run("sh", "-c", script, user=user)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def condition_of(host: Host) -> Condition:
    return host.condition


def wait_until(holds: Callable[[], bool], claim: str) -> None:
    eventually(holds, what=claim, every_s=0.02)


def test_each_host_has_its_own_name_and_both_users_can_log_in(lab: Lab) -> None:
    for host in lab.hosts:
        for user in ("root", "ada"):
            assert run(host, "hostname; id -un", user).split() == [host.name, user]


def test_arguments_and_binary_data_arrive_unchanged_over_ssh(lab: Lab) -> None:
    data = bytes(range(256)) * 64
    assert lab.host("n1").run("cat", input=data).stdout == data
    assert lab.host("n1").run("printf", "%s|", "a b", "$HOME", "'").stdout == b"a b|$HOME|'|"
    assert lab.host("n1").run("sh", "-c", "exit 7").returncode == 7


def test_each_host_has_a_host_key_of_its_own(lab: Lab) -> None:
    keys = {run(host, "cat /etc/ssh/ssh_host_ed25519_key.pub") for host in lab.hosts}
    assert len(keys) == len(lab.hosts)
    assert len({run(host, "cat /etc/machine-id") for host in lab.hosts}) == len(lab.hosts)


def test_hosts_reach_each_other_by_name_over_ssh(lab: Lab) -> None:
    for user in ("root", "ada"):
        answer = run(lab.host("n1"), "ssh -o BatchMode=yes n2 'hostname; id -un'", user)
        assert answer.split() == ["n2", user]


def test_a_host_sees_only_its_own_processes_and_interfaces(lab: Lab) -> None:
    n1, n2 = lab.host("n1"), lab.host("n2")
    assert run(n1, "cat /proc/1/cmdline").split("\0")[0] == "/usr/bin/python3"
    assert run(n1, "ls /sys/class/net").split() == ["eth0", "lo"]
    spaces = "for s in mnt pid net uts ipc cgroup; do readlink /proc/self/ns/$s; done"
    assert not set(run(n1, spaces).split()) & set(run(n2, spaces).split())


def test_logins_inherit_no_blocked_and_no_ignored_signal(lab: Lab) -> None:
    masks = run(lab.host("n1"), "grep -E 'SigBlk|SigIgn' /proc/self/status").split()[1::2]
    assert [int(mask, 16) for mask in masks] == [0, 0]


def test_an_orphan_is_reaped_by_the_hosts_init(lab: Lab) -> None:
    host = lab.host("n1")
    orphan = int(run(host, "(sleep 0.05 & echo $!) | cat; sleep 0.01"))
    wait_until(lambda: not (host.root / f"proc/{orphan}").exists(), f"{orphan} is reaped")


def test_sshd_is_started_again_when_it_dies(lab: Lab) -> None:
    host = lab.host("n3")
    time.sleep(1.0)  # an sshd that dies within its first second is taken to be broken
    assert host.enter("sh", "-c", "kill $(cat /run/sshd.pid)").returncode == 0
    wait_until(lambda: host.run("true").returncode == 0, "sshd answers again")


def test_criu_finds_all_it_needs_inside_a_host(lab: Lab) -> None:
    assert "Looks good" in run(lab.host("n1"), "criu check 2>&1")


def test_a_process_moves_from_host_to_host_with_plain_criu(lab: Lab) -> None:
    n1, n2 = lab.host("n1"), lab.host("n2")
    start = "setsid sh -c 'i=0; while :; do i=$((i+1)); echo $i >/root/count; sleep 0.05; done'"
    far = "echo 20000 >/proc/sys/kernel/ns_last_pid"  # from those of n2, where they must be free
    pid = int(run(n1, f"{far}; exec 3<>/dev/null; {start} <&3 >&3 2>&3 & echo $!"))
    wait_until((n1.root / "root/count").exists, "it counts on n1")
    images = "/tmp/images"
    run(n1, f"mkdir {images}; criu dump -t {pid} -D {images} -j -v0")
    run(n1, "tar -C /tmp -c images -C /root count | ssh n2 'tar -C /tmp -x; mv /tmp/count /root'")
    counted = int((n1.root / "root/count").read_text() or 0)  # it may have been about to write
    run(n2, f"criu restore -D {images} -j -d -v0")
    wait_until(lambda: int((n2.root / "root/count").read_text() or 0) > counted, "it goes on")
    run(n2, f"kill -9 {pid}; rm -r {images} /root/count")
    run(n1, f"rm -r {images} /root/count")


def test_a_host_can_freeze_a_cgroup_of_its_own(lab: Lab) -> None:
    answer = run(
        lab.host("n1"),
        """
        job=/sys/fs/cgroup/job; mkdir $job; sleep 60 & echo $! >$job/cgroup.procs
        echo 1 >$job/cgroup.freeze
        for i in $(seq 3000); do grep -q 'frozen 1' $job/cgroup.events && break; sleep 0.01; done
        cat $job/cgroup.events; echo 1 >$job/cgroup.kill; wait; rmdir $job
        """,
    )
    assert "frozen 1" in answer


def test_devices_that_programs_need_are_there_for_everybody(lab: Lab) -> None:
    for device in ("null", "zero", "full", "random", "urandom", "tty", "fuse"):
        mode = run(lab.host("n1"), f"stat -c '%F %a' /dev/{device}", "ada")
        assert mode.strip() == "character special file 666", device
    assert run(lab.host("n1"), "stat -c %F /dev/userfaultfd") == "character special file\n"


def test_a_late_mount_shows_in_the_namespaces_of_jobs(lab: Lab) -> None:
    script = """
        mkdir -p /mnt/late
        unshare --mount --propagation slave sh -c 'read go; cat /mnt/late/seen' <go &
    """
    answer = run(
        lab.host("n1"),
        f"cd /tmp; mkfifo go; {script} exec 4>go; mount -t tmpfs late /mnt/late; "
        "echo yes >/mnt/late/seen; echo go >&4; wait; umount /mnt/late; rm go",
    )
    assert answer == "yes\n"


def test_a_paused_host_stands_still_until_it_is_resumed(lab: Lab) -> None:
    host = lab.host("n2")
    host.pause()
    try:
        assert condition_of(host) is Condition.PAUSED
        assert host.alive
        with pytest.raises(subprocess.TimeoutExpired):
            host.run("true", timeout_s=0.5)
        assert (host.root / "etc/hostname").read_text() == "n2\n"
    finally:
        host.resume()
    assert condition_of(host) is Condition.RUNNING
    assert host.run("true").returncode == 0


def test_a_host_that_is_cut_off_runs_on_and_is_reached_again_when_healed(lab: Lab) -> None:
    host, other = lab.host("n2"), lab.host("n1")
    host.cut()
    try:
        assert condition_of(host) is Condition.CUT
        assert other.run("ping", "-c1", "-W1", "n2").returncode != 0
        assert host.enter("hostname").stdout == b"n2\n"
        assert host.enter("ping", "-c1", "-W1", "n1").returncode != 0
    finally:
        host.heal()
    assert condition_of(host) is Condition.RUNNING
    wait_until(lambda: other.run("ping", "-c1", "-W1", "n2").returncode == 0, "n2 answers n1")


def test_a_killed_host_boots_again_with_its_disk_and_key_and_without_its_processes(
    lab: Lab,
) -> None:
    host = lab.host("n3")
    run(host, "echo kept >/root/kept; echo gone >/tmp/gone; setsid sleep 300 >/dev/null 2>&1 &")
    host.kill()
    host.kill()
    assert condition_of(host) is Condition.DOWN
    with pytest.raises(LabHostDownError, match="n3"):
        host.enter("true")
    for change in (host.pause, host.resume, host.cut, host.heal):
        with pytest.raises(LabHostDownError):
            change()
    host.boot()
    host.boot()
    assert run(host, "cat /root/kept; ls /tmp; rm /root/kept") == "kept\n"
    assert "sleep" not in run(host, "ps -eo comm")
    assert run(lab.host("n1"), "ssh -o BatchMode=yes n3 hostname") == "n3\n"


def test_sigterm_to_a_hosts_init_switches_it_off(lab: Lab) -> None:
    host = lab.host("n3")
    host.enter("kill", "1")
    wait_until(lambda: not host.alive, "n3 is off")
    Lab.up(name=lab.name, size=1)
    assert host.run("true").returncode == 0


def test_an_unknown_host_is_named_with_those_that_exist(lab: Lab) -> None:
    with pytest.raises(LabHostUnknownError, match="n99"):
        lab.host("n99")
