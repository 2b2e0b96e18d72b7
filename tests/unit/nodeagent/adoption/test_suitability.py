from __future__ import annotations

from dataclasses import replace

import pytest

from nodeagent.adoption.suitability import hopeless, shared_memory, shared_pipes, ties
from nodeagent.adoption.tree import Candidate
from nodeagent.mechanism.openfiles import OpenThing

DAEMON = Candidate(
    pid=4321,
    parent=1,
    name="worker",
    state="S",
    is_kernels=False,
    session=4321,
    uids=(1000,) * 4,
    gids=(1000,) * 4,
    groups=(1000,),
    tracer=0,
    foreign=(),
    cgroup="session-3.scope",
    start_ticks=7,
)
CHILD = replace(DAEMON, pid=4322, parent=4321, name="child")
NAMES = {1: "systemd", 900: "systemd", 950: "bash", 960: "cat"}


def told(*tree: Candidate, force: bool = False) -> list[str]:
    return ties(
        tree, force=force, name_of=lambda pid: NAMES.get(pid, ""), reapers=frozenset({"systemd"})
    )


def test_a_daemon_with_a_child_is_tied_to_nothing() -> None:
    assert hopeless([DAEMON, CHILD], {99}) == ""
    assert told(DAEMON, CHILD) == []
    assert told(replace(DAEMON, parent=900), CHILD) == [], "a user's systemd adopts orphans"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pid": 1}, "first process of the machine"),
        ({"is_kernels": True}, "thread of the kernel"),
        ({"state": "Z"}, "it has ended"),
        ({"pid": 99}, "part of ssi itself"),
    ],
)
def test_some_are_not_looked_at_further(change: dict[str, object], reason: str) -> None:
    assert reason in hopeless([replace(DAEMON, **change)], {99})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"parent": 950}, "process 950 (bash) started it"),
        ({"cgroup": "nginx.service"}, "systemd would start nginx.service again"),
        ({"pid": 42}, "pids below 100"),
        ({"tracer": 77}, "traced by process 77"),
        ({"foreign": ("mnt", "net")}, "(mnt, net), as in a container"),
    ],
)
def test_each_tie_is_named(change: dict[str, object], reason: str) -> None:
    (found,) = told(replace(DAEMON, **change))  # type: ignore[arg-type]
    assert reason in found


def test_a_tree_of_several_users_is_refused_and_a_parent_can_be_overruled() -> None:
    (found,) = told(DAEMON, replace(CHILD, uids=(0,) * 4))
    assert "runs as uid 0" in found
    assert told(replace(DAEMON, parent=950), force=True) == []


def test_a_pipe_is_a_tie_only_where_another_has_an_end_of_it() -> None:
    things = [
        OpenThing(
            pid=4321, where=f"fd {number}", path=f"pipe:[{number}]", kind="pipe", inode=number
        )
        for number in (1, 2)
    ]
    (found,) = shared_pipes(things, {2: 960}, lambda pid: NAMES.get(pid, ""))
    assert "fd 2" in found and "process 960 (cat)" in found


def test_memory_of_system_v_is_the_machines() -> None:
    thing = OpenThing(pid=4321, where="mapping", path="/SYSV00000001", kind="memory")
    assert "/SYSV00000001" in shared_memory([thing])[0]
