"""A handle on a job: found wherever it is, through moves and broken links, in bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from ssi.client import jobs as jobs_module
from ssi.client.connection import DEFAULT_TIMEOUT_S, Connection
from ssi.client.jobs import JobHandle
from ssi.client.system import System
from ssi.model.errors import SsiError
from ssi.model.job import JobRow, JobSpec, JobState
from ssi.model.node import NodeRow, NodeState
from ssi.model.shim import ShimSilent
from ssi.protocol.jobs import JobReply, ReleaseJob, StartJob, StreamData, WaitJob
from ssi.protocol.message import Done, RequestMessage
from ssi.protocol.messages import ReplyBody
from ssi.protocol.refusals import (
    JobMoved,
    LinkDown,
    NodeDown,
    NoSuchProcess,
    NotPermitted,
    TimedOut,
)
from ssi.protocol.system import ListNodes, Locate, Located, NodeList
from tests.unit.nodeagent.asking import run
from tests.unit.view.samples import node

GPID = 15_000_001
Answer = Callable[[str, RequestMessage], ReplyBody | SsiError]


class FakeConnection(Connection):
    """Answers by a function of node and request, and keeps what was asked under which id."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[tuple[str, RequestMessage, bytes | None]] = []

    async def ask(
        self,
        body: RequestMessage,
        *,
        node: str = "",
        timeout_s: float = DEFAULT_TIMEOUT_S,
        request_id: bytes | None = None,
    ) -> ReplyBody:
        self.asked.append((node, body, request_id))
        assert len(self.asked) < 500, "asked without end"
        await asyncio.sleep(0)
        reply = self.answer(node, body)
        if isinstance(reply, SsiError):
            raise reply
        return reply


def row(**changes: object) -> JobRow:
    fields = {
        "gpid": GPID, "node": "n1", "user": "ada", "argv": ("x",), "cwd": "/",
        "state": JobState.RUNNING, "start_ms": 1,
    }  # fmt: skip
    return JobRow(**{**fields, **changes})  # type: ignore[arg-type]


def handle(answer: Answer) -> tuple[JobHandle, FakeConnection]:
    connection = FakeConnection(answer)
    return JobHandle(System(connection), row()), connection


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    real_sleep = asyncio.sleep

    async def nap(delay_s: float) -> None:
        await real_sleep(min(delay_s, 0.0005))

    monkeypatch.setattr("ssi.client.jobs.asyncio.sleep", nap)


def test_job_is_followed_to_where_it_moved_and_asked_there_from_then_on() -> None:
    def answer(node: str, _body: RequestMessage) -> ReplyBody | SsiError:
        where = {"n1": "n2", "n2": "n3"}
        return JobMoved(gpid=GPID, node=where[node]) if node in where else Done()

    job, connection = handle(answer)
    run(job.release())
    run(job.release())
    assert [node for node, _body, _id in connection.asked] == ["n1", "n2", "n3", "n3"]


def test_job_that_went_back_and_forth_is_found() -> None:
    """1. It is asked for at n1, as it moves to n2. 2. And at n2, as it moves back."""
    answers: Iterator[ReplyBody | SsiError] = iter(
        [JobMoved(gpid=GPID, node="n2"), JobMoved(gpid=GPID, node="n1"), Done()]
    )
    job, connection = handle(lambda _node, _body: next(answers))
    run(job.release())
    assert [node for node, _body, _id in connection.asked] == ["n1", "n2", "n1"]


def test_nodes_that_point_at_each_other_are_not_asked_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs_module, "PATIENCE_S", 0.005)
    other = {"n1": "n2", "n2": "n1"}
    job, _connection = handle(lambda node, _body: JobMoved(gpid=GPID, node=other[node]))
    with pytest.raises(JobMoved):
        run(job.release())


@pytest.mark.parametrize(
    "error",
    [
        LinkDown(node="n1", reason="cut"),
        NodeDown(node="n1", silent_s=5.0),
        TimedOut(node="n1", request="x", after_s=1.0),
        ShimSilent(path="s", request="x", after_s=1.0),
    ],
)
def test_question_is_repeated_under_its_id_until_the_node_answers(error: SsiError) -> None:
    answers: Iterator[ReplyBody | SsiError] = iter([error, error, Done()])
    job, connection = handle(lambda _node, _body: next(answers))
    run(job.release())
    assert len(connection.asked) == 3
    assert len({request_id for _node, _body, request_id in connection.asked}) == 1
    assert all(body == ReleaseJob(gpid=GPID) for _node, body, _id in connection.asked)


def test_patience_with_a_silent_node_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "PATIENCE_S", 0.005)
    job, _connection = handle(lambda _node, _body: LinkDown(node="n1", reason="cut"))
    with pytest.raises(LinkDown):
        run(job.release())


def test_refusal_is_not_repeated() -> None:
    refusal = NotPermitted(node="n1", user="eve", deed="touch it")
    job, connection = handle(lambda _node, _body: refusal)
    with pytest.raises(NotPermitted):
        run(job.release())
    assert len(connection.asked) == 1


def test_end_is_waited_for_over_many_questions() -> None:
    rows = iter([row(), row(state=JobState.STOPPED), row(state=JobState.EXITED, exit_status=7)])
    job, connection = handle(lambda _node, _body: JobReply(row=next(rows)))

    async def test() -> None:
        assert (await job.wait()).exit_status == 7

    run(test())
    assert all(isinstance(body, WaitJob) for _node, body, _id in connection.asked)


def test_signal_to_a_job_that_has_ended_is_none() -> None:
    job, _connection = handle(lambda _node, _body: NoSuchProcess(gpid=GPID))
    run(job.signal(15))


def test_all_of_a_brief_job_is_known_with_its_start() -> None:
    ended = row(state=JobState.EXITED, exit_status=3)
    reply = JobReply(row=ended, no_input=True, output=(b"out", b"err"))
    connection = FakeConnection(lambda _node, _body: reply)

    async def test() -> None:
        spec = JobSpec(argv=("x",))
        job = await JobHandle.start(System(connection), "n1", spec, wait_ms=5, no_input=True)
        assert not job.has_input
        assert await job.read("stdout", 0) == StreamData(offset=0, data=b"out", ended=True)
        assert await job.read("stderr", 1) == StreamData(offset=1, data=b"rr", ended=True)
        assert (await job.wait()).exit_status == 3
        await job.release()

    run(test())
    assert [body for _node, body, _id in connection.asked] == [
        StartJob(spec=JobSpec(argv=("x",)), wait_ms=5, no_input=True)
    ]


def test_node_that_knows_nothing_of_brief_jobs_is_asked_for_all_of_it() -> None:
    """An older agent ignores what it does not know, and leaves the job's stdin open."""
    connection = FakeConnection(lambda _node, _body: JobReply(row=row()))

    async def test() -> None:
        spec = JobSpec(argv=("x",))
        job = await JobHandle.start(System(connection), "n1", spec, wait_ms=5, no_input=True)
        assert job.has_input
        connection.answer = lambda _node, _body: StreamData(offset=0, data=b"x", ended=False)
        assert not (await job.read("stdout", 0)).ended

    run(test())


def test_read_names_its_offset_again_after_a_broken_link() -> None:
    answers: Iterator[ReplyBody | SsiError] = iter(
        [LinkDown(node="n1", reason="cut"), StreamData(offset=7, data=b"abc", ended=False)]
    )
    job, connection = handle(lambda _node, _body: next(answers))

    async def test() -> None:
        assert (await job.read("stdout", 7)).data == b"abc"

    run(test())
    first, second = (body for _node, body, _id in connection.asked)
    assert first == second


def located(here: str, dead: tuple[str, ...] = (), failing: tuple[str, ...] = ()) -> Answer:
    rows = tuple(
        node(name=f"n{n}", number=n, state=NodeState.DEAD if f"n{n}" in dead else NodeState.ALIVE)
        for n in (1, 2, 3)
    )

    def answer(name: str, body: RequestMessage) -> ReplyBody | SsiError:
        if isinstance(body, ListNodes):
            return NodeList(observer="n1", rows=rows)
        assert isinstance(body, Locate)
        if name in failing:
            return LinkDown(node=name, reason="cut")
        return Located(here=name == here, start_ms=5, job=GPID if name == here else 0)

    return answer


def locate(answer: Answer, gpid: int) -> tuple[str, list[str]]:
    connection = FakeConnection(answer)
    found: list[str] = []

    async def test() -> None:
        found.append((await System(connection).locate(gpid)).node)

    run(test())
    return found[0], [name for name, _body, _id in connection.asked if name]


def test_process_of_a_host_is_asked_for_where_its_number_says() -> None:
    assert locate(located("n2"), 20_000_042) == ("n2", ["n2"])


def test_process_of_a_job_is_found_wherever_it_went_though_its_birthplace_is_dead() -> None:
    found, asked = locate(located("n3", dead=("n1",)), GPID)
    assert found == "n3"
    assert sorted(asked) == ["n2", "n3"]


def test_job_that_nobody_has_may_be_on_the_node_that_does_not_answer() -> None:
    with pytest.raises(LinkDown):
        locate(located("", failing=("n2",)), GPID)
    with pytest.raises(NodeDown):
        locate(located("", dead=("n2",)), GPID)


def test_process_that_no_node_has_is_none() -> None:
    with pytest.raises(NoSuchProcess):
        locate(located(""), GPID)
    with pytest.raises(NoSuchProcess, match="no node 9"):
        locate(located(""), 90_000_001)


def test_dead_node_fails_at_once_without_being_asked() -> None:
    connection = FakeConnection(located("n1"))

    async def test() -> None:
        rows: list[NodeRow] = [
            node(name="n1"), node(name="n2", number=2, state=NodeState.DEAD, age_s=9.0),
        ]  # fmt: skip
        answers = await System(connection).gather(Locate(gpid=GPID), Located, rows)
        assert set(answers.replies) == {"n1"}
        assert isinstance(answers.failures["n2"], NodeDown)

    run(test())
    assert [name for name, _body, _id in connection.asked] == ["n1"]
