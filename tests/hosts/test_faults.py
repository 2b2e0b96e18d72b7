"""Agents, keepers and nodes that die, links that are cut: what goes on and what is said."""

from __future__ import annotations

import re
import time
from pathlib import Path

from tests.hosts.system import COMMAND_TIMEOUT_S, PATIENCE_S, Ssi, eventually, pid_of


def kill_by_pid(ssi: Ssi, node: str, *names: str) -> None:
    host = ssi.host(node)
    pids = [str(pid_of(host, name)) for name in names]
    host.enter("kill", "-KILL", *pids)


def agent_answers(ssi: Ssi, node: str, not_pid: int) -> bool:
    try:
        if pid_of(ssi.host(node), "agent") == not_pid:
            return False
    except (FileNotFoundError, IndexError):
        return False
    return ssi("ps", "-n", node, "--timeout", "1").status == 0


def test_a_job_outlives_its_agent_which_comes_back_and_finds_it(ssi: Ssi) -> None:
    gpid = ssi.detached("n2", "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done")
    before = next(row for row in ssi.json("ps") if str(row["gpid"]) == gpid)
    old = pid_of(ssi.host("n2"), "agent")
    kill_by_pid(ssi, "n2", "agent")
    eventually(lambda: agent_answers(ssi, "n2", old), what="the agent is back")
    after = next(row for row in ssi.json("ps") if str(row["gpid"]) == gpid)
    assert (after["pid"], after["gpid"]) == (before["pid"], before["gpid"])
    assert ssi.job(gpid)["state"] == "running"
    so_far = len(ssi.ok("logs", gpid).split())
    eventually(lambda: len(ssi.ok("logs", gpid).split()) > so_far + 20, what="it writes on")
    ssi.ok("kill", gpid)
    assert ssi("wait", gpid).status == 143
    lines = [int(line) for line in ssi.ok("logs", gpid).split()]
    assert lines == list(range(1, len(lines) + 1)) and len(lines) > so_far + 20


def test_a_foreground_command_goes_on_over_the_death_of_its_agent(ssi: Ssi) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.2; done; exit 4"
    with ssi.start("run", "-n", "n3", "--", "sh", "-c", script) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == b"1\n"
        kill_by_pid(ssi, "n3", "agent")
        assert command.stdout.read() == b"".join(b"%d\n" % i for i in range(2, 11))
        assert command.wait(timeout=PATIENCE_S) == 4


def test_a_keeper_that_dies_is_replaced_and_jobs_go_on(ssi: Ssi) -> None:
    gpid = ssi.detached("n1", "sleep", "100")
    old = pid_of(ssi.host("n1"), "keeper")
    kill_by_pid(ssi, "n1", "keeper")
    eventually(lambda: pid_of(ssi.host("n1"), "keeper") != old, what="there is a keeper again")
    assert ssi.ok("run", "-n", "n1", "--", "echo", "works") == "works\n"
    assert ssi.job(gpid)["state"] == "running"
    # The new keeper looks after the agent that was there.
    old_agent = pid_of(ssi.host("n1"), "agent")
    kill_by_pid(ssi, "n1", "agent")
    eventually(lambda: agent_answers(ssi, "n1", old_agent), what="the agent is back")
    ssi.ok("kill", gpid)


def died_at_s(ssi: Ssi, node: str) -> float:
    """When it was last found dead, by the clock of who found out: a clock that all hosts share."""
    told = [row for row in ssi.json("events") if (row["node"], row["event"]) == (node, "died")]
    return float(told[-1]["at_s"])


def test_a_killed_node_is_found_dead_and_no_command_hangs_on_it(ssi: Ssi) -> None:
    """How soon: tests of the mesh claim that on a clock of their own, bench/membership.py here."""
    gpid = ssi.detached("n3", "sleep", "100")
    waiting = ssi.start("run", "-n", "n3", "--", "sleep", "4323")
    eventually(lambda: "sleep 4323" in ssi.ok("jobs"), what="the job in the foreground runs")
    all_alive = {"n1": "alive", "n2": "alive", "n3": "alive"}
    eventually(lambda: ssi.states() == all_alive, what="nobody is suspected")
    killed_at_s = time.time()
    ssi.host("n3").kill()
    try:
        eventually(lambda: ssi.states()["n3"] == "dead", what="n3 is dead")
        assert 0 < died_at_s(ssi, "n3") - killed_at_s < PATIENCE_S
        result = ssi("ps", "--json")
        assert result.status == 4
        assert "n3" in result.err and result.err.count("\n") == 1
        assert '"n1"' in result.out and '"n2"' in result.out and '"n3"' not in result.out
        run = ssi("run", "-n", "n3", "--", "true")
        assert run.status == 255 and "n3 does not answer" in run.err
        assert ssi("kill", gpid).status == 4
        assert ssi.ok("run", "--", "uname", "-n").strip() in {"n1", "n2"}
    finally:
        ssi.host("n3").boot()
        ssi.ok("up", "n3")
    eventually(lambda: ssi.states()["n3"] == "alive", what="n3 is back")
    eventually(lambda: ssi.job(gpid)["state"] == "lost", what="n3 tells of its job")
    assert "restarted" in ssi.job(gpid)["problem"]
    # On a slow machine the client has given up by then.
    _, told = waiting.communicate(timeout=COMMAND_TIMEOUT_S)
    assert re.fullmatch(
        r"ssi: (job \d+ is lost: n3 knows nothing of it .*|n3 does not answer.*)\n.*",
        told.decode(),
        re.S,
    )
    assert waiting.returncode == 255
    # The lab kills a host by cgroup.kill; see nodeagent.shim.child for what that does to a birth.
    assert ssi.ok("run", "-n", "n3", "--", "echo", "born") == "born\n"


def test_a_cut_link_is_told_and_mends_by_itself(ssi: Ssi) -> None:
    gpid = ssi.detached("n2", "sleep", "100")
    ssi.host("n2").cut()
    try:
        result = ssi("run", "-n", "n2", "--", "true", timeout_s=PATIENCE_S)
        assert result.status == 255 and "n2" in result.err, result
        eventually(lambda: ssi.states()["n2"] == "dead", what="n2 is dead to us")
    finally:
        ssi.host("n2").heal()
    eventually(lambda: ssi.states()["n2"] == "alive", what="n2 is back")
    eventually(lambda: ssi.job(gpid)["state"] == "running", what="its job is back, too")
    ssi.ok("kill", gpid)


def is_told_as_a_stranger(ssi: Ssi, node: str) -> bool:
    return "its key is not the one in the roster" in ssi("run", "-n", node, "--", "true").err


def test_a_node_whose_key_was_changed_is_refused_in_one_line(ssi: Ssi) -> None:
    host = ssi.host("n1")
    key = Path(host.root, "var/lib/ssi/node.key")
    kept = key.read_bytes()
    old = pid_of(host, "agent")
    key.unlink()
    kill_by_pid(ssi, "n1", "agent")
    try:
        eventually(
            lambda: is_told_as_a_stranger(ssi, "n1"),
            what="the stranger in n1's place is told of",
        )
        # Its beats are refused too: that it is also believed dead says less than why.
        eventually(lambda: ssi.states()["n1"] == "dead", what="n1 is dead")
        eventually(
            lambda: is_told_as_a_stranger(ssi, "n1"), what="it is told of where n1 is believed dead"
        )
    finally:
        key.write_bytes(kept)
        kill_by_pid(ssi, "n1", "agent")
    eventually(lambda: agent_answers(ssi, "n1", old), what="n1 is itself again")
