"""Membership on hosts: joins, deaths, pauses, cuts and leaves, and the order they are told in."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.hosts.conftest import end_client_agent
from tests.hosts.striking import stopped
from tests.hosts.system import Ssi, eventually

LIVES = frozenset({"joined", "refuted"})
"""Events after which a node is alive."""


def agent_log(ssi: Ssi, node: str) -> str:
    return Path(ssi.host(node).root, "var/lib/ssi/agent.log").read_text(errors="replace")


def events_of(ssi: Ssi, node: str) -> list[tuple[str, int]]:
    """What happened to a node, and as which incarnation of it."""
    told: list[dict[str, Any]] = ssi.json("events")
    assert [event["stamp"] for event in told] == sorted(event["stamp"] for event in told)
    return [(event["event"], event["incarnation"]) for event in told if event["node"] == node]


def incarnation(ssi: Ssi, node: str) -> int:
    return next(int(row["incarnation"]) for row in ssi.json("nodes") if row["name"] == node)


@contextmanager
def busy_cores() -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def deaths(ssi: Ssi) -> list[int]:
    """How often n1 and n3 have given somebody up."""
    return [agent_log(ssi, node).count("after=dead") for node in ("n1", "n3")]


def stood_still_s(ssi: Ssi) -> float:
    """How long n2 did not answer, of three seconds that it should stand still.

    A busy machine wakes us late, and then it.
    """
    with stopped(ssi, "n2"):
        began_s = time.monotonic()
        time.sleep(3.0)
    eventually(lambda: ssi("ps", "-n", "n2").status == 0, what="n2 answers")
    stood_s = time.monotonic() - began_s
    time.sleep(1.5)
    return stood_s


def test_agent_that_stands_still_for_three_seconds_is_not_given_up(ssi: Ssi) -> None:
    rounds, before = 0, deaths(ssi)
    with busy_cores():
        for _ in range(30):
            if stood_still_s(ssi) > 3.7:
                eventually(lambda: set(ssi.states().values()) == {"alive"}, what="all are back")
                before = deaths(ssi)
                continue
            assert deaths(ssi) == before
            rounds += 1
            if rounds == 3:
                break
    assert rounds == 3, "the machine never let it stand still for three seconds, and not longer"
    eventually(lambda: set(ssi.states().values()) == {"alive"}, what="nobody is suspected any more")
    assert deaths(ssi) == before


def test_agent_that_stood_still_for_long_is_dead_and_refutes_when_it_wakes(ssi: Ssi) -> None:
    was = incarnation(ssi, "n2")
    with stopped(ssi, "n2"):
        eventually(lambda: ssi.states()["n2"] == "dead", what="n2 is dead")
        time.sleep(5.0)
    eventually(lambda: ssi.states()["n2"] == "alive", what="n2 is back")
    assert incarnation(ssi, "n2") > was

    def kinds_told() -> list[str]:
        return [kind for kind, each in events_of(ssi, "n2") if each >= was]

    eventually(lambda: kinds_told()[-1:] == ["refuted"], what="n1 tells of it, too")
    kinds = kinds_told()
    assert "suspected" in kinds and "died" in kinds
    assert kinds[-1] == "refuted"


def test_all_nodes_tell_the_same_story(ssi: Ssi) -> None:
    with stopped(ssi, "n3"):
        eventually(lambda: ssi.states()["n3"] == "dead", what="n3 is dead")
    eventually(lambda: ssi.states()["n3"] == "alive", what="n3 is back")

    def stories() -> list[Any]:
        told = []
        for node in ("n1", "n2", "n3"):
            result = ssi.host(node).run("ssi", "events", "--json")
            told.append([event["stamp"] for event in json.loads(result.stdout)][-3:])
        return told

    def agree() -> bool:
        first, *others = stories()
        return all(story == first for story in others)

    eventually(agree, what="the three tell the same")


def test_node_that_lost_its_cable_is_dead_to_the_others_and_heals(ssi: Ssi) -> None:
    given_up = "event=member node=n3 before=suspect after=dead"
    before = {node: agent_log(ssi, node).count(given_up) for node in ("n1", "n2")}
    ssi.host("n3").cut()
    try:
        eventually(lambda: ssi.states()["n3"] == "dead", what="n3 is dead")
        began_s = time.monotonic()
        result = ssi("ps", "--json", "--timeout", "60")
        assert time.monotonic() - began_s < 30, "nobody waited for it"
        assert result.status == 4 and "n3" in result.err and '"n1"' in result.out
        for node, often in before.items():  # else one of them may give it up after it is back
            eventually(
                lambda node=node, often=often: agent_log(ssi, node).count(given_up) > often,  # type: ignore[misc]
                what=f"{node} has given it up, too",
            )
    finally:
        ssi.host("n3").heal()
    eventually(lambda: set(ssi.states().values()) == {"alive"}, what="all see all again")


def test_node_that_is_taken_down_has_left_and_did_not_die(ssi: Ssi) -> None:
    # Others may have given it up a moment after we did, and it has not said yet that it lives.
    eventually(lambda: events_of(ssi, "n3")[-1][0] in LIVES, what="n3 to live in the story, too")
    ssi.ok("down", "n3", "--force")
    try:
        eventually(lambda: events_of(ssi, "n3")[-1][0] == "left", what="n1 tells of it")
        kinds = [kind for kind, _ in events_of(ssi, "n3")]
        assert kinds[-1] == "left"
        lived = max(at for at, kind in enumerate(kinds) if kind in LIVES)
        assert "died" not in kinds[lived:]
    finally:
        ssi.ok("up", "n3")
    eventually(
        lambda: ssi.states() == {"n1": "alive", "n2": "alive", "n3": "alive"},
        what="n3 is a node again",
    )


def test_revoked_client_is_cut_off_on_all_nodes_also_on_one_that_was_away(
    ssi: Ssi, tmp_path: Path
) -> None:
    other = Ssi(ssi.lab, tmp_path / "config")
    other.ok("up", "n1..n3")
    try:
        (key,) = [row["key"] for row in other.json("clients") if row["here"]]
        assert [row["nodes"] for row in ssi.json("clients") if row["key"] == key] == [
            ["n1", "n2", "n3"]
        ]
        with other.start("run", "-n", "n1", "--", "sh", "-c", "echo up; exec sleep 4327") as run:
            assert run.stdout is not None and run.stderr is not None
            assert run.stdout.readline() == b"up\n"
            with stopped(ssi, "n3"):
                eventually(lambda: ssi.states()["n3"] == "dead", what="n3 is away")
                revoked = ssi("clients", "revoke", key[:6])
                assert revoked.status == 0, revoked
                assert "n3: no answer; who is away hears of it on coming back" in revoked.err
                assert run.wait(60) == 255
                assert b"it was revoked; move ~/.config/ssi/client.key aside" in run.stderr.read()

        def have_heard() -> bool:
            told = ssi("clients", "-o", "name")
            return told.status == 0 and key not in told.out  # 4 while n3 does not answer

        eventually(have_heard, what="n3 has heard of it")
        assert other("run", "-n", "n3", "--", "true").status == 255
        assert ssi("clients", "revoke", key).status == 8
        again = other("up", "n1")
        assert again.status == 7
        assert "it was revoked" in again.err
        assert "revoked" in [event["event"] for event in ssi.json("events")]
        (other.config / "client.key").rename(other.config / "old.key")
        other.ok("up", "n1..n3")
        assert other.states()["n1"] == "alive"
        assert ssi.ok("run", "-n", "n2", "--", "echo", "still here") == "still here\n"
    finally:
        end_client_agent(tmp_path)
