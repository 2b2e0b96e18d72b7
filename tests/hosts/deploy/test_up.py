"""``ssi up`` on real hosts, over their real sshd."""

from __future__ import annotations

from ssi.lab import Host, Lab
from tests.hosts.deploy.host import ALL_OF_IT, STATE, agents_of, out_of
from tests.hosts.system import Ssi, eventually, pid_of


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


def test_a_node_without_perl_has_the_command_too(ssi: Ssi, n1: Host) -> None:
    ssi.ok("up", "n1")
    out_of(n1, "ssi nodes >/dev/null")
    # Where the next command would find a warm process.
    eventually(lambda: out_of(n1, "ls /run/ssi/warm | wc -l") == "1\n", what="one is warm")
    try:
        without = out_of(n1, "chmod a-x /usr/bin/perl && ssi nodes")
    finally:
        out_of(n1, "chmod a+x /usr/bin/perl")
    assert "n1" in without


def test_agent_only_leaves_the_command_out(ssi: Ssi, n1: Host) -> None:
    ssi.ok("up", "n1", "--agent-only")
    assert out_of(n1, f"ls /usr/local/bin/ssi 2>&1; ls {STATE}/bundles | wc -l").endswith("\n1\n")
    ssi.ok("up", "n1")
    assert "n1" in out_of(n1, "ssi nodes")


def test_a_node_that_was_not_named_learns_of_the_new_one(ssi: Ssi, lab: Lab) -> None:
    ssi.ok("up", "n1")
    ssi.ok("up", "n2")
    eventually(lambda: "n2" in out_of(lab.host("n1"), "ssi nodes"), what="n1 knows n2")


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
    out_of(n1, f"cp -r {STATE}/bundles/{agent} {STATE}/bundles/{other} && kill {before[1]}")
    lives = f"kill -0 {before[0]} || kill -0 {before[1]}"
    eventually(lambda: not out_of(n1, f"({lives}) 2>/dev/null && echo yes"), what="both have ended")
    out_of(
        n1,
        f"PYTHONPATH={STATE}/bundles/{other}/lib setsid python3 -s -P -m nodeagent.keeper "
        "--name n1 </dev/null >/dev/null 2>&1 &",
    )
    eventually(lambda: ssi("ps", "-n", "n1").status == 0, what="the other one answers")
    runs = "tr '\\0' '\\n' < /proc/$(cut -d' ' -f1 /run/ssi/agent.pid)/environ"
    assert other in out_of(n1, runs)
    assert "updated as node 1" in ssi("up", "n1").err
    assert pid_of(n1, "agent") != before[0]
    assert pid_of(n1, "keeper") != before[1]
    eventually(lambda: ssi.job(job)["state"] == "running", what="the job is adopted")


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
    ours = "[n]odeagent|[s]si-agent"
    assert out_of(n1, f"find ~/.local -type f; pgrep -u ada -f '{ours}'", "ada") == ""


def test_an_agent_of_an_older_protocol_is_refused_by_name_and_replaced_with_its_jobs_running(
    ssi: Ssi, n1: Host, lab: Lab
) -> None:
    ssi.ok("up", "n1,n2")
    job = ssi.detached("n1", "sh", "-c", "echo before; exec sleep 1000")
    run_bundle_of_older_protocol(n1)
    eventually(
        lambda: "[version-mismatch]" in ssi("ps", "-n", "n1").err,
        what="n1 to be understood as older",
    )
    told = ssi("run", "-n", "n1", "--", "true")
    assert told.status == 255
    assert "n1 speaks protocol version 0, this side 1" in told.err
    assert "`ssi up` for all nodes" in told.err
    listed = ssi("ps", "-o", "node")
    assert listed.status == 4
    assert set(listed.out.split()) == {"NODE", "n2"}
    assert "version-mismatch" in listed.err
    assert "version-mismatch" in out_of(n1, "ssi jobs 2>&1 || true")
    assert "version-mismatch" in out_of(lab.host("n2"), "ssi ps -n n1 2>&1 || true")
    assert "updated as node 1" in ssi("up", "n1").err
    eventually(lambda: ssi.job(job)["state"] == "running", what="the job to be adopted")
    assert ssi.ok("run", "-n", "n1", "--", "echo", "well") == "well\n"
    assert ssi.ok("logs", job) == "before\n"


def run_bundle_of_older_protocol(host: Host) -> None:
    """Puts keeper and agent of a version in their place whose protocol has the number before."""
    older = "1" * 24
    lib = f"{STATE}/bundles/{older}/lib"
    deployed = out_of(host, f"cat {STATE}/deployed")
    agent = deployed.split('"agent": "')[1][:24]
    out_of(host, f"cp -r {STATE}/bundles/{agent} {STATE}/bundles/{older}")
    out_of(host, f"sed -i 's/^PROTOCOL_VERSION = 1$/PROTOCOL_VERSION = 0/' {lib}/ssi/protocol/*.py")
    assert out_of(host, f"grep -c '^PROTOCOL_VERSION = 0' {lib}/ssi/protocol/envelope.py") == "1\n"
    before = pid_of(host, "agent"), pid_of(host, "keeper")
    out_of(host, f"kill {before[1]}")
    lives = f"kill -0 {before[0]} || kill -0 {before[1]}"
    eventually(
        lambda: not out_of(host, f"({lives}) 2>/dev/null && echo yes"), what="both to have ended"
    )
    out_of(
        host,
        f"PYTHONPATH={lib} setsid python3 -s -P -m nodeagent.keeper "
        f"--name {host.name} </dev/null >/dev/null 2>&1 &",
    )
