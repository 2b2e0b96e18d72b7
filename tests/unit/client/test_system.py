"""Which nodes are meant by what a person writes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from ssi.client.system import PAUSES_S, Location, System, why_dead
from ssi.model.errors import UsageError
from ssi.model.node import NodeState
from ssi.protocol.codec import VersionMismatch
from ssi.protocol.envelope import PROTOCOL_VERSION
from ssi.protocol.message import RequestMessage
from ssi.protocol.messages import ReplyBody
from ssi.protocol.refusals import (
    JobMoved,
    LinkRefused,
    NodeDown,
    NodeUnknown,
    NoSuchProcess,
    NotPermitted,
)
from ssi.protocol.system import Locate, Located, NodeList
from tests.unit.cli.fake_system import FakeConnection, three_nodes

JOB = 15_000_001


class Cluster(FakeConnection):
    """Three nodes, and nothing else can be asked."""

    async def ask(
        self,
        body: RequestMessage,
        *,
        node: str = "",
        timeout_s: float = 0.0,
        request_id: bytes | None = None,
    ) -> ReplyBody:
        return NodeList(observer="n1", rows=tuple(three_nodes()))


def test_the_one_node_that_is_named_is_meant() -> None:
    assert asyncio.run(System(Cluster()).select_one("n2")) == "n2"


def test_several_nodes_are_none_where_one_is_wanted() -> None:
    with pytest.raises(UsageError, match="names 2 nodes"):
        asyncio.run(System(Cluster()).select_one("n1..2"))


def test_a_node_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(NodeUnknown) as caught:
        asyncio.run(System(Cluster()).select_one("n9"))
    assert (caught.value.node, caught.value.known) == ("n9", "n[1-3]")


def test_a_node_of_another_version_fails_as_one_and_is_not_called_silent() -> None:
    row = msgspec.structs.replace(three_nodes()[0], state=NodeState.DEAD, age_s=9.0)
    assert isinstance(why_dead(row), NodeDown)
    older = why_dead(msgspec.structs.replace(row, speaks=0))
    assert isinstance(older, VersionMismatch)
    assert older.what() == f"{row.name} speaks protocol version 0, this side {PROTOCOL_VERSION}"


def test_a_dead_node_that_refuses_fails_as_one_also_where_it_was_heard_before() -> None:
    reason = "its key is not the one in the roster"
    row = msgspec.structs.replace(
        three_nodes()[0], state=NodeState.DEAD, age_s=9.0, rtt_ms=1.4, problem=reason
    )
    refused = why_dead(row)
    assert isinstance(refused, LinkRefused)
    assert reason in refused.what()


class Wanderer(Cluster):
    """A job that is nowhere at first, and refuses what is asked of it as often as it is told."""

    def __init__(self, unseen: int, *, moving: bool = True) -> None:
        super().__init__()
        self.unseen, self.moving = unseen, moving
        self.rounds = 0

    async def ask(
        self,
        body: RequestMessage,
        *,
        node: str = "",
        timeout_s: float = 0.0,
        request_id: bytes | None = None,
    ) -> ReplyBody:
        if not isinstance(body, Locate):
            return await super().ask(body, node=node, timeout_s=timeout_s, request_id=request_id)
        self.rounds += node == "n1"
        here = node == "n3" and self.rounds > self.unseen
        return Located(here=here, start_ms=1, job=JOB, moving=not here and self.moving)


def test_what_is_between_two_nodes_is_looked_for_again() -> None:
    nodes = Wanderer(2)
    assert asyncio.run(System(nodes).locate(JOB)).node == "n3"
    assert nodes.rounds == 3


@pytest.mark.parametrize(("moving", "rounds"), [(False, 1), (True, len(PAUSES_S))])
def test_what_is_nowhere_is_looked_for_again_only_where_something_moves(
    *, moving: bool, rounds: int
) -> None:
    nodes = Wanderer(99, moving=moving)
    with pytest.raises(NoSuchProcess):
        asyncio.run(System(nodes).locate(JOB))
    assert nodes.rounds == rounds


def test_what_has_left_is_followed_and_what_always_has_is_given_up() -> None:
    tries: list[str] = []

    def leaving(times: int) -> Callable[[Location], Awaitable[str]]:
        async def deed(location: Location) -> str:
            tries.append(location.node)
            if len(tries) <= times:
                raise JobMoved(gpid=JOB, node="n2")
            return "done"

        return deed

    assert asyncio.run(System(Wanderer(0)).follow(JOB, leaving(2))) == "done"
    assert tries == ["n3"] * 3
    tries.clear()
    with pytest.raises(JobMoved):
        asyncio.run(System(Wanderer(0)).follow(JOB, leaving(99)))
    assert len(tries) == 5


def test_what_is_refused_for_another_reason_is_not_tried_again() -> None:
    tries: list[str] = []

    async def deed(location: Location) -> None:
        tries.append(location.node)
        raise NotPermitted(node="n3", user="ada", deed="it")

    with pytest.raises(NotPermitted):
        asyncio.run(System(Wanderer(0)).follow(JOB, deed))
    assert tries == ["n3"]
