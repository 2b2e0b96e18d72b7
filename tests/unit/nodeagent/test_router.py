"""Whose request it is, and where it goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from nodeagent.dispatch import Audience, Caller
from nodeagent.peers import Peers
from nodeagent.register import Register
from nodeagent.router import MAX_DEADLINE_S, Router
from ssi.model.errors import SsiError
from ssi.model.node import RevokedKey, Roster, RosterEntry
from ssi.protocol.codec import BadMessage, encode_reply_body
from ssi.protocol.envelope import Reply, Request
from ssi.protocol.jobs import ReadStream
from ssi.protocol.message import Done, RequestMessage
from ssi.protocol.migration import ResumeJob
from ssi.protocol.refusals import (
    ClientRefused,
    LinkDown,
    LinkRefused,
    NodeDown,
    NotPermitted,
)
from ssi.protocol.system import ListNodes
from ssi.transport.door import DoorUser
from tests.unit.nodeagent.asking import dispatcher, error_in, reply_in, request_of, run

NODE_1, NODE_2, CLIENT, STRANGER = "a" * 40, "b" * 40, "c" * 40, "d" * 40
ADAS_NODE = "e" * 40
ADA = DoorUser(name="ada", uid=1000)


class FakePeers(Peers):
    """Keeps what is passed on, and says that it was done."""

    def __init__(self) -> None:
        self.passed: list[tuple[Request, bool, float]] = []
        self.error: SsiError | None = None
        self.refused: set[str] = set()

    def is_refused(self, node: str) -> bool:
        return node in self.refused

    async def forward(self, request: Request, *, bulk: bool, timeout_s: float) -> Reply:
        self.passed.append((request, bulk, timeout_s))
        if self.error is not None:
            raise self.error
        return Reply(request.id, encode_reply_body(Done()))


class Agent:
    """A router with what is around it, and the callers that its handlers saw."""

    def __init__(self, directory: Path, node: str) -> None:
        self.node = node
        self.peers = FakePeers()
        self.callers: list[Caller] = []
        self.silent: dict[str, float] = {}
        self.register = Register(node, directory / "roster", directory / "clients")
        self.register.install(
            Roster(
                system="s",
                version=1,
                nodes=(
                    self.entry(1, NODE_1),
                    self.entry(2, NODE_2),
                    msgspec.structs.replace(self.entry(3, ADAS_NODE), user="ada"),
                ),
                next_number=4,
            )
        )
        self.register.allow_client(CLIENT, "ada")

    @staticmethod
    def entry(number: int, key: str) -> RosterEntry:
        return RosterEntry(
            name=f"n{number}", number=number, public_key=key, address="10.0.0.1",
            control_port=1, bulk_port=2,
        )  # fmt: skip

    @asynccontextmanager
    async def routing(self) -> AsyncIterator[Router]:
        async def take(caller: Caller, _body: RequestMessage) -> Done:
            self.callers.append(caller)
            return Done()

        async with dispatcher(self.node) as d:
            d.serve(ListNodes, take)
            d.serve(ResumeJob, take, Audience.NODE)
            yield Router(self.node, d, self.register, self.peers, self.silent.get)


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path, "n1")


def test_person_at_the_door_is_who_the_kernel_says_whatever_is_claimed(agent: Agent) -> None:
    async def test() -> None:
        async with agent.routing() as router:
            await router.from_door(request_of(ListNodes(), caller="root"), ADA)
            await router.from_door(request_of(ListNodes(), caller="root", target="n1"), ADA)
            await router.from_door(request_of(ListNodes(), caller="root", target="n2"), ADA)

    run(test())
    assert agent.callers == [Caller(user="ada")] * 2
    assert [request.caller for request, _bulk, _timeout_s in agent.peers.passed] == ["ada"]


def test_request_for_another_node_is_passed_on_untouched_but_for_its_caller(agent: Agent) -> None:
    request = request_of(ListNodes(), target="n2", caller="eve", deadline_ms=2500)

    async def test() -> None:
        async with agent.routing() as router:
            assert reply_in(await router.from_door(request, ADA)) == Done()

    run(test())
    ((passed, bulk, timeout_s),) = agent.peers.passed
    assert passed == Request(request.id, "n2", "ada", 2500, request.body)
    assert (bulk, timeout_s) == (False, 2.5)
    assert agent.callers == []


def test_bulk_travels_on_the_bulk_link(agent: Agent) -> None:
    body = ReadStream(gpid=1, stream="stdout", offset=0, limit_bytes=1, wait_ms=0)

    async def test() -> None:
        async with agent.routing() as router:
            await router.from_door(request_of(body, target="n2"), ADA)

    run(test())
    assert [bulk for _request, bulk, _timeout_s in agent.peers.passed] == [True]


def test_body_of_a_newer_kind_is_passed_on(agent: Agent) -> None:
    raw = msgspec.Raw(msgspec.msgpack.encode(["teleport-job", 1]))

    async def test() -> None:
        async with agent.routing() as router:
            reply_in(await router.from_door(Request(b"i" * 16, "n2", "", 1000, raw), ADA))

    run(test())
    assert bytes(agent.peers.passed[0][0].body) == bytes(raw)


@pytest.mark.parametrize(
    ("deadline_ms", "timeout_s"),
    [(0, 0.001), (-5, 0.001), (1500, 1.5), (2**63, MAX_DEADLINE_S)],
)
def test_every_wait_for_another_node_is_bounded(
    agent: Agent, deadline_ms: int, timeout_s: float
) -> None:
    async def test() -> None:
        async with agent.routing() as router:
            request = request_of(ListNodes(), target="n2", deadline_ms=deadline_ms)
            await router.from_door(request, ADA)

    run(test())
    assert agent.peers.passed[0][2] == timeout_s


def test_dead_node_is_not_asked(agent: Agent) -> None:
    agent.silent["n2"] = 9.0

    async def test() -> None:
        async with agent.routing() as router:
            answer = await router.from_door(request_of(ListNodes(), target="n2"), ADA)
            assert isinstance(error_in(answer), NodeDown)

    run(test())
    assert agent.peers.passed == []


def test_node_that_spoke_a_moment_ago_is_asked_though_it_is_still_believed_dead(
    agent: Agent,
) -> None:
    agent.silent["n2"] = 0.4

    async def test() -> None:
        async with agent.routing() as router:
            await router.from_door(request_of(ListNodes(), target="n2"), ADA)

    run(test())
    assert len(agent.peers.passed) == 1


def test_of_a_node_that_is_silent_since_it_refuses_its_link_tells_why(agent: Agent) -> None:
    agent.silent["n2"] = 9.0
    agent.peers.refused.add("n2")
    agent.peers.error = LinkRefused(node="n2", reason="its key is not the one in the roster")

    async def test() -> None:
        async with agent.routing() as router:
            answer = await router.from_door(request_of(ListNodes(), target="n2"), ADA)
            assert isinstance(error_in(answer), LinkRefused)

    run(test())


def test_failure_on_the_way_is_an_answer(agent: Agent) -> None:
    agent.peers.error = LinkDown(node="n2", reason="cut")

    async def test() -> None:
        async with agent.routing() as router:
            answer = await router.from_door(request_of(ListNodes(), target="n2"), ADA)
            assert str(error_in(answer)) == str(agent.peers.error)

    run(test())


def test_node_of_the_roster_speaks_for_itself_as_root(agent: Agent) -> None:
    async def test() -> None:
        async with agent.routing() as router:
            await router.from_mesh(request_of(ListNodes()), NODE_2)
            body = ResumeJob(gpid=1, epoch=1)
            assert reply_in(await router.from_mesh(request_of(body), NODE_2)) == Done()

    run(test())
    assert agent.callers == [Caller(user="root", node="n2")] * 2


@pytest.mark.parametrize("user", ["ada", "root"])
def test_person_whom_a_node_names_is_believed_to_be_that_person_only(
    agent: Agent, user: str
) -> None:
    """1. At n2's door someone asks n1 what only nodes may. 2. n2 passes it on. 3. n1 refuses."""

    async def test() -> None:
        async with agent.routing() as router:
            await router.from_mesh(request_of(ListNodes(), caller=user), NODE_2)
            request = request_of(ResumeJob(gpid=1, epoch=1), caller=user)
            error = error_in(await router.from_mesh(request, NODE_2))
            assert isinstance(error, NotPermitted)

    run(test())
    assert agent.callers == [Caller(user=user)]


@pytest.mark.parametrize("claimed", ["root", "bob"])
def test_agent_without_root_names_no_user_but_its_own(agent: Agent, claimed: str) -> None:
    """Ada wrote that agent's code as she liked: its word about others is worth nothing."""

    async def test() -> None:
        async with agent.routing() as router:
            request = request_of(ListNodes(), caller=claimed)
            assert isinstance(error_in(await router.from_mesh(request, ADAS_NODE)), NotPermitted)
            await router.from_mesh(request_of(ListNodes(), caller="ada"), ADAS_NODE)
            await router.from_mesh(request_of(ListNodes()), ADAS_NODE)

    run(test())
    assert agent.callers == [Caller(user="ada"), Caller(user="ada", node="n3")]


def test_agent_without_root_may_not_deal_in_images(agent: Agent) -> None:
    async def test() -> None:
        async with agent.routing() as router:
            request = request_of(ResumeJob(gpid=1, epoch=1))
            assert isinstance(error_in(await router.from_mesh(request, ADAS_NODE)), NotPermitted)

    run(test())
    assert agent.callers == []


@pytest.mark.parametrize("claimed", ["", "ada"])
def test_client_is_its_own_user(agent: Agent, claimed: str) -> None:
    async def test() -> None:
        async with agent.routing() as router:
            await router.from_mesh(request_of(ListNodes(), caller=claimed), CLIENT)

    run(test())
    assert agent.callers == [Caller(user="ada")]


@pytest.mark.parametrize("claimed", ["root", "bob", "Ada", "ada "])
def test_client_may_not_claim_another_user(agent: Agent, claimed: str) -> None:
    async def test() -> None:
        async with agent.routing() as router:
            answer = await router.from_mesh(request_of(ListNodes(), caller=claimed), CLIENT)
            assert isinstance(error_in(answer), NotPermitted)

    run(test())
    assert agent.callers == []


@pytest.mark.parametrize("claimed", ["", "root", "ada"])
@pytest.mark.parametrize("key", [STRANGER, "", "None"])
def test_stranger_has_no_say(agent: Agent, key: str, claimed: str) -> None:
    async def test() -> None:
        async with agent.routing() as router:
            answer = await router.from_mesh(request_of(ListNodes(), caller=claimed), key)
            assert isinstance(error_in(answer), NotPermitted)

    run(test())
    assert agent.callers == []


def test_revoked_node_has_no_say_with_its_very_next_message(agent: Agent) -> None:
    async def test() -> None:
        async with agent.routing() as router:
            assert reply_in(await router.from_mesh(request_of(ListNodes()), NODE_2)) == Done()
            agent.register.install(
                Roster(system="s", version=2, nodes=(agent.entry(1, NODE_1),), next_number=3)
            )
            error = error_in(await router.from_mesh(request_of(ListNodes()), NODE_2))
            assert isinstance(error, NotPermitted)

    run(test())
    assert len(agent.callers) == 1


def test_revoked_client_does_not_get_what_it_waited_for(agent: Agent) -> None:
    """History of the race: 1. a client waits for output; 2. its key is revoked; 3. output comes."""

    async def test() -> None:
        async with agent.routing() as router:

            async def revoke(_caller: Caller, _body: RequestMessage) -> Done:
                agent.register.revoke(RevokedKey(public_key=CLIENT))
                return Done()

            router._dispatcher.serve(ReadStream, revoke)
            read = ReadStream(
                gpid=15000001, stream="stdout", offset=0, limit_bytes=1024, wait_ms=1000
            )
            for asked in (read, ListNodes()):
                error = error_in(await router.from_mesh(request_of(asked), CLIENT))
                assert isinstance(error, ClientRefused)
                assert error.reason == "it was revoked"

    run(test())
    assert agent.callers == []


def test_request_for_another_node_that_comes_by_the_mesh_is_not_passed_on(agent: Agent) -> None:
    async def test() -> None:
        async with agent.routing() as router:
            answer = await router.from_mesh(request_of(ListNodes(), target="n2"), NODE_2)
            assert isinstance(error_in(answer), BadMessage)

    run(test())
    assert agent.callers == []
    assert agent.peers.passed == []


def test_client_mode_agent_passes_everything_on_and_names_nobody(tmp_path: Path) -> None:
    agent = Agent(tmp_path, "")

    async def test() -> None:
        async with agent.routing() as router:
            await router.from_door(request_of(ListNodes(), target="n1", caller="root"), ADA)

    run(test())
    assert [request.caller for request, _bulk, _timeout_s in agent.peers.passed] == [""]
