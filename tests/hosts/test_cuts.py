"""Links that are cut, also in one direction, and partitions: every command answers, and all mends.

Not how fast they answer but that they do: each has a bound, and none hangs on a node that is away.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.hosts.system import PATIENCE_S, Result, Ssi, eventually, pid_of

NODES = ("n1", "n2", "n3")

ALL = ["ps", "free", "uptime", "jobs", "checkpoints", "mount"]
"""Commands that ask every node."""


def together(ask: Callable[[list[str]], Result], commands: list[list[str]]) -> list[Result]:
    """All at once, as many people would; each must end by itself within its bound."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(ask, commands))


def about(gpid: str, node: str) -> list[list[str]]:
    """Commands for one job, or one node, that cannot be reached."""
    of_job = ["stop", "cont", "kill", "freeze", "thaw", "wait", "logs", "attach", "disown"]
    of_job += ["checkpoint", "clone", "why"]
    commands = [[verb, gpid] for verb in of_job]
    commands += [["migrate", gpid, "--to", "n1"], ["run", "-n", node, "--", "true"]]
    commands += [[verb, node] for verb in ("cordon", "uncordon", "drain")]
    return [*commands, ["cp", f"{node}:/etc/hostname", "/dev/null"]]


@contextmanager
def dropped(ssi: Ssi, at: str, *others: str) -> Iterator[None]:
    """No packet of one host reaches the others; theirs reach it."""
    network = ["nsenter", "--target", str(ssi.host(at).pid), "--net", "ip", "route"]
    routes = [["blackhole", f"{ssi.host(other).address}/32"] for other in others]
    for route in routes:
        subprocess.run([*network, "add", *route], check=True, timeout=PATIENCE_S)
    try:
        yield
    finally:
        for route in routes:
            subprocess.run([*network, "del", *route], check=True, timeout=PATIENCE_S)


def seen_by(ssi: Ssi, node: str) -> dict[str, str]:
    """The states of all nodes as the agent of a host sees them."""
    rows = json.loads(ssi.host(node).run("ssi", "nodes", "--json").stdout)
    return {row["name"]: row["state"] for row in rows}


def asked_on(ssi: Ssi, node: str, *words: str) -> Result:
    run = ssi.host(node).run("ssi", *words, timeout_s=60.0)
    return Result(run.returncode, run.stdout.decode(), run.stderr.decode())


def all_see_all(ssi: Ssi) -> bool:
    return all(set(seen_by(ssi, node).values()) == {"alive"} for node in NODES)


@pytest.fixture
def unharmed(ssi: Ssi) -> Iterator[None]:
    """All is as before, and no agent was started again for it."""
    before = [pid_of(ssi.host(node), "agent") for node in NODES]
    eventually(lambda: all_see_all(ssi), within_s=60, what="all see all")
    yield
    eventually(lambda: all_see_all(ssi), within_s=60, what="all see all again")
    eventually(lambda: ssi("ps").status == 0, within_s=60, what="all answer again")
    assert [pid_of(ssi.host(node), "agent") for node in NODES] == before


@pytest.mark.usefixtures("unharmed")
def test_every_command_answers_while_two_of_three_nodes_are_cut_off(ssi: Ssi) -> None:
    job = ssi.detached("n2", "sleep", "1000")
    for node in ("n2", "n3"):
        ssi.host(node).cut()
    try:
        for result in together(lambda words: ssi(*words), [[verb] for verb in ["nodes", *ALL]]):
            assert result.status in {0, 4}, result  # just cut: perhaps not even missed yet
        eventually(
            lambda: ssi.states() == {"n1": "alive", "n2": "dead", "n3": "dead"},
            within_s=60,
            what="both are dead to us",
        )
        for verb, result in zip(ALL, together(lambda w: ssi(*w), [[v] for v in ALL]), strict=True):
            assert result.status == 4, (verb, result)
            assert result.err.startswith("ssi: n[2-3]"), (verb, result)
            assert result.err.count("\n") == 1, (verb, result)
            assert verb in {"checkpoints", "mount", "jobs"} or "n1" in result.out, (verb, result)
        commands = about(job, "n2")
        for words, result in zip(commands, together(lambda w: ssi(*w), commands), strict=True):
            assert result.status in {4, 255}, (words, result)
            assert "n2" in result.err and result.err.count("\n") == 1, (words, result)
        assert ssi.ok("run", "--", "uname", "-n") == "n1\n"
    finally:
        for node in ("n2", "n3"):
            ssi.host(node).heal()
    eventually(lambda: ssi.job(job)["state"] == "running", within_s=60, what="the job is back")
    ssi.ok("kill", job)


@pytest.mark.usefixtures("unharmed")
def test_node_that_one_other_cannot_hear_is_dead_to_nobody(ssi: Ssi) -> None:
    """1. n3's packets do not reach n1. 2. n1's probes of it go through n2."""
    with dropped(ssi, "n3", "n1"):
        eventually(
            lambda: asked_on(ssi, "n1", "ps").status == 4, within_s=60, what="n1 misses n3's answer"
        )
        for _ in range(2):
            result = asked_on(ssi, "n1", "ps")
            assert result.status == 4 and result.err.startswith("ssi: n3"), result
            assert seen_by(ssi, "n1")["n3"] != "dead"
            assert seen_by(ssi, "n2")["n3"] != "dead"
        assert asked_on(ssi, "n2", "ps").status == 0
        assert ssi("ps").status == 0


@pytest.mark.usefixtures("unharmed")
def test_both_sides_of_a_partition_answer_for_themselves_and_heal(ssi: Ssi) -> None:
    with dropped(ssi, "n1", "n2", "n3"), dropped(ssi, "n2", "n1"), dropped(ssi, "n3", "n1"):
        eventually(
            lambda: seen_by(ssi, "n1") == {"n1": "alive", "n2": "dead", "n3": "dead"},
            within_s=60,
            what="n1 is alone",
        )
        eventually(lambda: seen_by(ssi, "n2")["n1"] == "dead", within_s=60, what="n1 is dead")
        eventually(lambda: seen_by(ssi, "n2")["n3"] == "alive", what="n3 lives to n2")
        alone, others = asked_on(ssi, "n1", "ps"), asked_on(ssi, "n2", "ps")
        assert alone.status == others.status == 4
        assert alone.err.startswith("ssi: n[2-3]") and others.err.startswith("ssi: n1")
        assert alone.out and others.out
