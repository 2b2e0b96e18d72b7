"""Which nodes are meant by what a person writes."""

from __future__ import annotations

import asyncio

import pytest

from ssi.client.system import System
from ssi.model.errors import UsageError
from ssi.protocol.message import RequestMessage
from ssi.protocol.messages import ReplyBody
from ssi.protocol.refusals import NodeUnknown
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
