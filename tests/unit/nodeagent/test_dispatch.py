"""Who may ask what, and how often it is carried out."""

from __future__ import annotations

import asyncio
import logging
from typing import get_args

import msgspec
import pytest

from nodeagent.dispatch import Audience, Caller
from ssi.model.node import Roster
from ssi.protocol.codec import BadMessage
from ssi.protocol.envelope import Request
from ssi.protocol.message import Done, RequestMessage
from ssi.protocol.messages import RequestBody
from ssi.protocol.migration import ResumeJob
from ssi.protocol.refusals import (
    AgentFailed,
    AnswerTooLarge,
    NoSuchProcess,
    NotPermitted,
    NotServed,
    Overloaded,
)
from ssi.protocol.system import InstallRoster, ListNodes, NodeList
from tests.unit.nodeagent.asking import dispatcher, error_in, least_of, reply_in, request_of, run

ROOT = Caller(user="root")
ADA = Caller(user="ada")
NODE = Caller(user="root", node="n2")

RESUME = ResumeJob(gpid=15000001, epoch=2)
KINDS: tuple[type[RequestMessage], ...] = get_args(RequestBody)

MAY_ASK = {
    Audience.ANYONE: {"root", "ada", "node"},
    Audience.ROOT: {"root", "node"},
    Audience.NODE: {"node"},
}


async def _done(_caller: Caller, _body: RequestMessage) -> Done:
    return Done()


@pytest.mark.parametrize("audience", list(Audience))
@pytest.mark.parametrize(("who", "caller"), [("root", ROOT), ("ada", ADA), ("node", NODE)])
def test_only_the_audience_is_answered(audience: Audience, who: str, caller: Caller) -> None:
    async def test() -> None:
        async with dispatcher() as d:
            d.serve(ListNodes, _done, audience)
            answer = await d.answer(request_of(ListNodes()), caller)
            if who in MAY_ASK[audience]:
                assert reply_in(answer) == Done()
            else:
                error = error_in(answer)
                assert isinstance(error, NotPermitted)
                assert (error.node, error.user) == ("n1", caller.user)

    run(test())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_request_without_a_handler_is_refused_by_its_name(kind: type[RequestMessage]) -> None:
    async def test() -> None:
        async with dispatcher() as d:
            other = ListNodes if kind is not ListNodes else ResumeJob
            d.serve(other, _done)
            error = error_in(await d.answer(request_of(least_of(kind)), ROOT))
            assert isinstance(error, NotServed), error
            assert error.request == kind.__name__

    run(test())


def test_body_that_cannot_be_read_is_refused_without_a_handler() -> None:
    async def test() -> None:
        async with dispatcher() as d:
            for raw in (b"", b"\xc1", b"\x91\xa7unknown", b"\x92\xa6locate\xa1x"):
                request = Request(b"i" * 16, "", "", 1000, msgspec.Raw(raw))
                assert isinstance(error_in(await d.answer(request, ROOT)), BadMessage)

    run(test())


def test_one_kind_has_one_handler() -> None:
    async def test() -> None:
        async with dispatcher() as d:
            d.serve(ListNodes, _done)
            with pytest.raises(AssertionError):
                d.serve(ListNodes, _done)
            assert d.served() == {ListNodes: Audience.ANYONE}

    run(test())


def test_mutating_request_that_comes_twice_is_done_once_and_answered_alike() -> None:
    async def test() -> None:
        done: list[int] = []

        async def resume(_caller: Caller, body: ResumeJob) -> Done:
            await asyncio.sleep(0)
            done.append(body.gpid)
            return Done()

        async with dispatcher() as d:
            d.serve(ResumeJob, resume)
            request = request_of(RESUME)
            asking = (d.answer(request, NODE), d.answer(request, NODE))
            both = list(await asyncio.gather(*asking))
            later = await d.answer(request, NODE)
            assert done == [15000001]
            assert both == [later, later]

    run(test())


def test_failure_of_a_mutating_request_is_also_answered_alike() -> None:
    async def test() -> None:
        calls = 0

        async def resume(_caller: Caller, body: ResumeJob) -> Done:
            nonlocal calls
            calls += 1
            raise NoSuchProcess(gpid=body.gpid, detail=f"call {calls}")

        async with dispatcher() as d:
            d.serve(ResumeJob, resume)
            request = request_of(RESUME)
            first, second = await d.answer(request, NODE), await d.answer(request, NODE)
            assert first == second
            assert calls == 1

    run(test())


def test_request_that_only_reads_is_done_each_time() -> None:
    async def test() -> None:
        calls = 0

        async def list_nodes(_caller: Caller, _body: ListNodes) -> NodeList:
            nonlocal calls
            calls += 1
            return NodeList(observer="n1", rows=())

        async with dispatcher() as d:
            d.serve(ListNodes, list_nodes)
            request = request_of(ListNodes())
            await d.answer(request, ADA)
            await d.answer(request, ADA)
            assert calls == 2

    run(test())


def test_answer_is_not_given_to_another_caller_who_knows_the_id() -> None:
    async def test() -> None:
        callers: list[str] = []

        async def resume(caller: Caller, _body: ResumeJob) -> Done:
            callers.append(caller.user)
            return Done()

        async with dispatcher() as d:
            d.serve(ResumeJob, resume)
            request = request_of(RESUME)
            await d.answer(request, ADA)
            await d.answer(request, Caller(user="eve"))
            assert callers == ["ada", "eve"]

    run(test())


def test_asker_that_leaves_does_not_stop_what_mutates() -> None:
    async def test() -> None:
        begun, go, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def resume(_caller: Caller, _body: ResumeJob) -> Done:
            begun.set()
            await go.wait()
            finished.set()
            return Done()

        async with dispatcher() as d:
            d.serve(ResumeJob, resume)
            request = request_of(RESUME)
            asking = asyncio.create_task(d.answer(request, NODE))
            await begun.wait()
            asking.cancel()
            await asyncio.wait([asking])
            assert asking.cancelled()
            go.set()
            await finished.wait()
            assert reply_in(await d.answer(request, NODE)) == Done()

    run(test())


def test_asker_that_leaves_stops_what_only_reads() -> None:
    async def test() -> None:
        begun, stopped = asyncio.Event(), asyncio.Event()

        async def list_nodes(_caller: Caller, _body: ListNodes) -> NodeList:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()
            raise AssertionError

        async with dispatcher() as d:
            d.serve(ListNodes, list_nodes)
            asking = asyncio.create_task(d.answer(request_of(ListNodes()), ADA))
            await begun.wait()
            asking.cancel()
            await stopped.wait()

    run(test())


@pytest.mark.parametrize("mutating", [False, True])
def test_handler_that_breaks_is_answered_and_logged(
    caplog: pytest.LogCaptureFixture, mutating: bool
) -> None:
    async def test() -> None:
        async def breaks(_caller: Caller, _body: RequestMessage) -> Done:
            raise ZeroDivisionError("of all things")

        async with dispatcher() as d:
            d.serve(ResumeJob if mutating else ListNodes, breaks)
            body = RESUME if mutating else ListNodes()
            error = error_in(await d.answer(request_of(body), ROOT))
            assert isinstance(error, AgentFailed)
            assert error.reason == "ZeroDivisionError: of all things"
            d.serve(InstallRoster, _done)
            roster = Roster(system="s", version=1)
            assert (
                reply_in(await d.answer(request_of(InstallRoster(roster=roster)), ROOT)) == Done()
            )

    with caplog.at_level(logging.ERROR):
        run(test())
    assert "event=handler-broke" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_answers_are_remembered_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodeagent.dispatch.MAX_REMEMBERED", 3)

    async def test() -> None:
        calls: list[bytes] = []

        async with dispatcher() as d:

            async def resume(_caller: Caller, _body: ResumeJob) -> Done:
                return Done()

            d.serve(ResumeJob, resume)
            requests = [request_of(RESUME) for _ in range(4)]
            for request in requests:
                await d.answer(request, NODE)
            remembered = {request_id for _caller, request_id in d._answers}
            assert remembered == {request.id for request in requests[1:]}
            assert calls == []

    run(test())


def test_request_under_way_is_never_forgotten_and_one_too_many_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Were it forgotten, a repetition would be carried out beside it."""
    monkeypatch.setattr("nodeagent.dispatch.MAX_REMEMBERED", 2)

    async def test() -> None:
        go, calls = asyncio.Event(), 0

        async def resume(_caller: Caller, _body: ResumeJob) -> Done:
            nonlocal calls
            calls += 1
            await go.wait()
            return Done()

        async with dispatcher() as d:
            d.serve(ResumeJob, resume)
            first, second, third = (request_of(RESUME) for _ in range(3))
            asking = [asyncio.create_task(d.answer(r, NODE)) for r in (first, second)]
            await asyncio.sleep(0)
            assert isinstance(error_in(await d.answer(third, NODE)), Overloaded)
            repeated = asyncio.create_task(d.answer(first, NODE))
            go.set()
            assert [reply_in(answer) for answer in await asyncio.gather(*asking, repeated)] == [
                Done()
            ] * 3
            assert calls == 2
            assert reply_in(await d.answer(third, NODE)) == Done()

    run(test())


def test_answer_that_does_not_fit_is_told_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodeagent.dispatch.MAX_CONTROL_FRAME_BYTES", 1024)

    async def test() -> None:
        async def list_nodes(_caller: Caller, _body: ListNodes) -> NodeList:
            return NodeList(observer="n" * 2000, rows=())

        async with dispatcher() as d:
            d.serve(ListNodes, list_nodes)
            error = error_in(await d.answer(request_of(ListNodes()), ADA))
            assert isinstance(error, AnswerTooLarge)
            assert error.size_bytes > 2000

    run(test())
