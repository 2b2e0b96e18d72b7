"""Which nodes are meant by what a person writes."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from ssi.client.system import System, why_dead
from ssi.model.errors import UsageError
from ssi.model.node import NodeState
from ssi.protocol.codec import VersionMismatch
from ssi.protocol.envelope import PROTOCOL_VERSION
from ssi.protocol.message import RequestMessage
from ssi.protocol.messages import ReplyBody
from ssi.protocol.refusals import LinkRefused, NodeDown, NodeUnknown
from ssi.protocol.system import NodeList
from tests.unit.cli.fake_system import FakeConnection, three_nodes


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
