"""The system as a face sees it: its nodes, many asked at once, and where a process is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, Generic, TypeVar

from ssi.client.connection import DEFAULT_TIMEOUT_S, Connection
from ssi.client.errors import NoNodeFits
from ssi.client.lull import Lull
from ssi.model.errors import SsiError, UsageError
from ssi.model.gpid import parts_of
from ssi.model.node import NodeRow, NodeState
from ssi.policy.placement import Suggestion, suggest
from ssi.protocol.codec import BadMessage, VersionMismatch
from ssi.protocol.envelope import PROTOCOL_VERSION
from ssi.protocol.message import ReplyMessage, RequestMessage
from ssi.protocol.refusals import JobMoved, LinkRefused, NodeDown, NoSuchProcess
from ssi.protocol.system import ListNodes, Locate, Located, NodeList

ReplyT = TypeVar("ReplyT", bound=ReplyMessage)
DoneT = TypeVar("DoneT")
PlaceT = TypeVar("PlaceT")

PAUSES_S: Final = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Before nodes are asked again for what may just be between two of them, once each."""

_FOLLOWED: Final = 5
"""So often it is tried to reach what moves on each time before it is reached."""


@dataclass(slots=True)
class Answers(Generic[ReplyT]):
    """What several nodes said to one question, by node name."""

    replies: dict[str, ReplyT] = field(default_factory=dict)
    failures: dict[str, SsiError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a process is now.

    Attributes:
        start_ms: Its identity beside the gpid.
        job: First gpid of its job; 0 where it is none of a job.
    """

    node: str
    gpid: int
    start_ms: int
    job: int


class System:
    """Questions to one node, to many, or to whichever has a process.

    Attributes:
        lull: Between two keys that a person types to a program there.
    """

    def __init__(self, connection: Connection, timeout_s: float | None = None) -> None:
        """Over a connection to the door.

        Args:
            connection: May be replaced when it broke.
            timeout_s: How long the user wants to wait for an answer; None as each request has it.
        """
        self.connection = connection
        self.timeout_s = timeout_s
        self.lull = Lull()
        self._home = ""
        self._later: list[asyncio.Task[None]] = []

    @property
    def has_later(self) -> bool:
        """Whether something was begun that nobody waits for yet."""
        return bool(self._later)

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Begins what a command's result does not depend on; :meth:`settle` waits for it.

        Args:
            work: Any: what a coroutine is sent. Its failure is its own affair.
        """
        self._later.append(asyncio.create_task(work))

    async def settle(self) -> None:
        """Waits for all that :meth:`later` began."""
        begun, self._later = self._later, []
        for outcome in await asyncio.gather(*begun, return_exceptions=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, SsiError):
                raise outcome

    async def ask(
        self,
        body: RequestMessage,
        kind: type[ReplyT],
        *,
        node: str = "",
        timeout_s: float | None = None,
        request_id: bytes | None = None,
    ) -> ReplyT:
        """The reply of one node, of the kind that such a request has.

        Args:
            body: What to ask.
            kind: Of the reply.
            node: Its name; empty for the agent at the door.
            timeout_s: None as long as the user wants to wait.
            request_id: Of an earlier try.

        Raises:
            SsiError: As :meth:`Connection.ask`.
        """
        if timeout_s is None:
            timeout_s = self.timeout_s or DEFAULT_TIMEOUT_S
        reply = await self.connection.ask(
            body, node=node, timeout_s=timeout_s, request_id=request_id
        )
        if not isinstance(reply, kind):
            raise BadMessage(reason=f"{type(reply).__name__} answers {type(body).__name__}")
        return reply

    async def nodes(self) -> NodeList:
        """All nodes as the agent at the door sees them."""
        seen = await self.ask(ListNodes(), NodeList)
        self._home = seen.observer or seen.client
        return seen

    async def home(self) -> str:
        """Name of this machine, as jobs know its files; empty from an older version's agent."""
        if not self._home:
            await self.nodes()
        return self._home

    async def select(self, nodeset: str | None) -> list[NodeRow]:
        """The nodes that a node set names, in the roster's order; all for None.

        Raises:
            NodesetInvalid: It cannot be read.
            NodeUnknown: It names one that there is not.
        """
        rows = (await self.nodes()).rows
        if nodeset is None or nodeset == "all":
            return list(rows)
        from ssi.client.nodegroups import expand_among  # 20 ms that all nodes do not need

        wanted = expand_among(nodeset, rows)
        return [row for row in rows if row.name in wanted]

    async def select_one(self, nodeset: str) -> str:
        """Name of the one node that a node set names.

        Raises:
            UsageError: It names several.
            SsiError: As :meth:`select`.
        """
        rows = await self.select(nodeset)
        if len(rows) != 1:
            raise UsageError(text=f"{nodeset} names {len(rows)} nodes", hint="name one node")
        return rows[0].name

    async def gather(
        self,
        body: RequestMessage,
        kind: type[ReplyT],
        nodes: Iterable[NodeRow],
        timeout_s: float | None = None,
    ) -> Answers[ReplyT]:
        """Asks all of them at once; never raises for a node that fails.

        Nodes that are believed dead fail at once.
        """
        answers: Answers[ReplyT] = Answers()
        asked = []
        for row in nodes:
            if row.state in {NodeState.DEAD, NodeState.LEFT}:
                answers.failures[row.name] = why_dead(row)
            else:
                asked.append(row.name)
        replies = await asyncio.gather(
            *(self.ask(body, kind, node=name, timeout_s=timeout_s) for name in asked),
            return_exceptions=True,
        )
        for name, reply in zip(asked, replies, strict=True):
            if isinstance(reply, SsiError):
                answers.failures[name] = reply
            elif isinstance(reply, BaseException):
                raise reply
            else:
                answers.replies[name] = reply
        return answers

    async def locate(self, gpid: int, timeout_s: float = 5.0) -> Location:
        """The node that has a process now.

        A process of a host is where its number says; one of a job may have moved, so all nodes are
        asked: none of them has to live for the sake of what left it.

        Raises:
            GpidInvalid: No process can have that number.
            NoSuchProcess: No node has it.
            NodeDown: None of those that answer has it, and one that does not answer may.
        """
        parts = parts_of(gpid)
        rows = (await self.nodes()).rows
        if not parts.is_job:
            rows = tuple(row for row in rows if row.number == parts.node_number)
            if not rows:
                raise NoSuchProcess(gpid=gpid, detail=f"there is no node {parts.node_number}")
        for pause_s in PAUSES_S:
            answers = await self.gather(
                Locate(gpid=gpid), Located, rows, self.timeout_s or timeout_s
            )
            for name, located in answers.replies.items():
                if located.here:
                    return Location(
                        node=name, gpid=gpid, start_ms=located.start_ms, job=located.job
                    )
            if not any(located.moving for located in answers.replies.values()):
                break
            await asyncio.sleep(pause_s)
        for error in answers.failures.values():
            raise error
        raise NoSuchProcess(gpid=gpid)

    async def follow(self, gpid: int, deed: Callable[[Location], Awaitable[DoneT]]) -> DoneT:
        """Does something to a process where it is, and tries again where it has left meanwhile.

        Args:
            gpid: Of the process.
            deed: Asks the node that has it. It was not done where that has it no more.

        Raises:
            SsiError: As :meth:`locate`, or as the deed.
        """
        return await followed(await self.locate(gpid), lambda: self.locate(gpid), deed)

    async def birthplace(self, gpid: int) -> str:
        """The node where a gpid was given, and most likely is; empty where it does not live.

        Raises:
            GpidInvalid: No process can have that number.
        """
        number = parts_of(gpid).node_number
        living = (row for row in (await self.nodes()).rows if row.state is NodeState.ALIVE)
        return next((row.name for row in living if row.number == number), "")

    async def place(self, candidates: Sequence[NodeRow] | None = None) -> Suggestion:
        """The node that suits a new job best.

        Raises:
            NoNodeFits: None lives.
        """
        rows = candidates if candidates is not None else (await self.nodes()).rows
        suggestions = suggest(rows, Random())  # noqa: S311 - spreads askers, guards nothing
        if not suggestions:
            raise NoNodeFits(detail="none of them is alive")
        return suggestions[0]


async def followed(
    place: PlaceT,
    find: Callable[[], Awaitable[PlaceT]],
    deed: Callable[[PlaceT], Awaitable[DoneT]],
) -> DoneT:
    """Does something at a place, or where ``find`` says if what it is done to has left.

    Raises:
        SsiError: As ``find``, or as the deed does the last time.
    """
    for _ in range(_FOLLOWED - 1):
        with suppress(JobMoved, NoSuchProcess):
            return await deed(place)
        place = await find()  # which tells, too, if it has ended
    return await deed(place)


def why_dead(row: NodeRow) -> SsiError:
    """What is wrong with a node that is believed dead."""
    if row.speaks is not None:
        return VersionMismatch(ours=PROTOCOL_VERSION, theirs=row.speaks, node=row.name)
    if row.problem:
        return LinkRefused(node=row.name, reason=row.problem)
    return NodeDown(node=row.name, silent_s=row.age_s)
