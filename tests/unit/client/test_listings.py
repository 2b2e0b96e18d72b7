"""Jobs and processes of nodes that answer one after the other, while a job moves."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from ssi.client.listings import list_jobs, list_processes
from ssi.client.system import PAUSES_S, System
from ssi.model.errors import SsiError
from ssi.model.job import JobRow, JobState, Whereabouts
from ssi.protocol.message import RequestMessage
from ssi.protocol.messages import ReplyBody
from ssi.protocol.refusals import NodeDown
from ssi.protocol.system import JobList, ListProcesses, ProcessList
from tests.unit.cli.fake_system import FakeConnection, three_nodes
from tests.unit.view.samples import process

JOB = 15_000_001
Knows = tuple[bool, tuple[Whereabouts, ...]]
"""Whether a node shows the job, and what it says of its whereabouts."""


def at(node: str, epoch: int) -> Whereabouts:
    return Whereabouts(JOB, epoch, node)


NOTHING: Knows = (False, ())
HAS_FIRST: Knows = (True, (at("n1", 1),))
GAVE_TO_N2: Knows = (False, (at("n2", 2),))
HAS_SECOND: Knows = (True, (at("n2", 2),))


class Nodes(FakeConnection):
    """Each node's answers in their order; the last of them again and again."""

    def __init__(self, **answers: list[Knows | SsiError]) -> None:
        super().__init__()
        self.answers = answers
        self.turns = dict.fromkeys(("n1", "n2", "n3"), 0)

    async def ask(
        self,
        body: RequestMessage,
        *,
        node: str = "",
        timeout_s: float = 0.0,
        request_id: bytes | None = None,
    ) -> ReplyBody:
        answers = self.answers.get(node, [NOTHING])
        answer = answers[min(self.turns[node], len(answers) - 1)]
        self.turns[node] += 1
        if isinstance(answer, SsiError):
            raise answer
        shows, whereabouts = answer
        if isinstance(body, ListProcesses):
            rows = (process(gpid=JOB, job=JOB), process(gpid=JOB + 1, job=JOB)) if shows else ()
            host = process(gpid=10000042)
            return ProcessList(
                node=node, taken_at_s=0.0, rows=(host, *rows), whereabouts=whereabouts
            )
        made = JobRow(
            gpid=JOB,
            node=node,
            user="ada",
            argv=("a",),
            cwd="/",
            state=JobState.RUNNING,
            start_ms=1,
        )
        return JobList(node=node, rows=(made,) if shows else (), whereabouts=whereabouts)


def holders(nodes: Nodes) -> list[str]:
    """The nodes that are said to have it; each answer is one of jobs, and the same of processes."""
    again = Nodes(**nodes.answers)
    jobs = asyncio.run(list_jobs(System(nodes), three_nodes()))
    processes = asyncio.run(list_processes(System(again), ListProcesses(), three_nodes()))
    shown = [name for name, reply in jobs.replies.items() if reply.rows]
    for name, reply in processes.replies.items():
        assert len(reply.rows) == (3 if name in shown else 1)
    return shown


def test_a_job_that_stays_is_where_it_is_and_nobody_is_asked_twice() -> None:
    nodes = Nodes(n1=[HAS_FIRST])
    assert holders(nodes) == ["n1"]
    assert set(nodes.turns.values()) == {1}


def test_a_job_that_both_show_is_with_its_later_owner() -> None:
    assert holders(Nodes(n1=[HAS_FIRST], n2=[HAS_SECOND])) == ["n2"]


def test_a_node_that_answered_before_a_job_came_is_asked_again() -> None:
    nodes = Nodes(n1=[GAVE_TO_N2], n2=[NOTHING, HAS_SECOND])
    assert holders(nodes) == ["n2"]
    assert nodes.turns == {"n1": 1, "n2": 2, "n3": 1}


def test_a_job_that_goes_on_meanwhile_is_followed() -> None:
    gone: Knows = (False, (at("n3", 3),))
    nodes = Nodes(n1=[GAVE_TO_N2], n2=[NOTHING, gone], n3=[NOTHING, (True, (at("n3", 3),))])
    assert holders(nodes) == ["n3"]


def test_a_job_that_no_other_has_stays_shown_by_whom_it_is_leaving() -> None:
    nodes = Nodes(n1=[(True, (at("n2", 2),))])
    assert holders(nodes) == ["n1"], "it is in doubt, which must be seen"
    assert nodes.turns["n2"] == 1 + len(PAUSES_S), "and is not asked for ever"


def test_a_job_that_has_ended_elsewhere_is_not_shown_as_it_was() -> None:
    assert holders(Nodes(n1=[HAS_FIRST], n2=[(False, (Whereabouts(JOB, 2, ""),))])) == []


def test_a_job_that_went_to_a_node_that_was_not_asked_is_not_waited_for() -> None:
    nodes = Nodes(n1=[GAVE_TO_N2])
    answers = asyncio.run(list_jobs(System(nodes), three_nodes()[:1]))
    assert (answers.replies["n1"].rows, nodes.turns["n1"]) == ((), 1)


@pytest.mark.parametrize("again", [NodeDown(node="n2", silent_s=9.0)], ids=str)
def test_a_node_that_fails_the_second_time_has_answered(again: SsiError) -> None:
    nodes = Nodes(n1=[GAVE_TO_N2], n2=[NOTHING, again])
    answers = asyncio.run(list_jobs(System(nodes), three_nodes()))
    assert set(answers.replies) == {"n1", "n2", "n3"}
    assert answers.failures == {}


def test_an_older_node_tells_nothing_of_whereabouts_and_is_believed() -> None:
    assert holders(Nodes(n1=[(True, ())])) == ["n1"]
    raw = msgspec.msgpack.encode(JobList(node="n1", rows=()))
    assert msgspec.msgpack.decode(raw, type=JobList).whereabouts == ()
