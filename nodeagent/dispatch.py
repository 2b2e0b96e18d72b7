"""From a request to the service that answers it: who may ask, and at most once.

Every handler is registered with who may call it; a request without a handler is refused, so a new
message cannot be answered by accident. A mutating request that comes again from its caller
under its id gets the first answer again.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from ssi.model.errors import SsiError
from ssi.protocol.codec import decode_request_body, encode_reply_body, make_failure
from ssi.protocol.envelope import MAX_CONTROL_FRAME_BYTES, Failure, Reply, Request
from ssi.protocol.message import ReplyMessage, RequestMessage
from ssi.protocol.refusals import (
    AgentFailed,
    AnswerTooLarge,
    NotPermitted,
    NotServed,
    Overloaded,
)
from ssi.transport.door import user_of_uid

_log = logging.getLogger(__name__)

MAX_REMEMBERED = 4096
"""Answers to mutating requests that are kept for a repetition; older ones are forgotten."""

ENVELOPE_BYTES = 64
"""More than an envelope takes around a reply's body."""


class Audience(StrEnum):
    """Who may ask something."""

    ANYONE = "anyone"
    ROOT = "root"
    NODE = "node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """On whose behalf a request came.

    Attributes:
        user: Name of the user; ``root`` for a node's agent that speaks for itself.
        node: The node whose agent speaks for itself; empty for a person, on whatever machine.
    """

    user: str
    node: str = ""

    @property
    def is_root(self) -> bool:
        """Whether this is the superuser."""
        return self.user == "root"


RequestT = TypeVar("RequestT", bound=RequestMessage)
Handler = Callable[[Caller, RequestT], Awaitable[ReplyMessage]]


@dataclass(frozen=True, slots=True)
class _Registration:
    audience: Audience
    handler: Callable[[Caller, Any], Awaitable[ReplyMessage]]  # Any: one table for all kinds


class Dispatcher:
    """Holds the handlers, and the answers that may be asked for again.

    Args:
        node: Name of this node, for refusals.
        tasks: In which mutating requests are finished even when their asker leaves.
    """

    def __init__(self, node: str, tasks: asyncio.TaskGroup) -> None:
        self._node = node
        # Without root an agent serves its own user, and is to them what root's is to root.
        self._owner = user_of_uid(os.geteuid()).name
        self._tasks = tasks
        self._handlers: dict[type[RequestMessage], _Registration] = {}
        self._answers: OrderedDict[tuple[Caller, bytes], asyncio.Task[Reply | Failure]]
        self._answers = OrderedDict()

    def serve(
        self,
        kind: type[RequestT],
        handler: Handler[RequestT],
        audience: Audience = Audience.ANYONE,
    ) -> None:
        """Registers the one handler of a kind of request."""
        assert kind not in self._handlers, kind
        self._handlers[kind] = _Registration(audience, handler)

    def served(self) -> dict[type[RequestMessage], Audience]:
        """Every kind of request that is answered, and for whom."""
        return {kind: registration.audience for kind, registration in self._handlers.items()}

    async def answer(self, request: Request, caller: Caller) -> Reply | Failure:
        """The answer to a request; every error becomes a failure."""
        try:
            body = decode_request_body(request.body)
        except SsiError as exc:
            return make_failure(request.id, exc)
        if not type(body).mutating:
            return await self._run(request, body, caller)
        key = (caller, request.id)
        task = self._answers.get(key)
        if task is None:
            if not self._make_room():
                full = Overloaded(node=self._node, queue="list of changes under way")
                return make_failure(request.id, full)
            task = self._tasks.create_task(self._run(request, body, caller))
            self._answers[key] = task
        return await asyncio.shield(task)

    def _make_room(self) -> bool:
        """Forgets the oldest answer where there are too many; one that is still to come, never.

        Without its task, a repetition would be carried out beside the first.
        """
        if len(self._answers) < MAX_REMEMBERED:
            return True
        oldest = next((key for key, task in self._answers.items() if task.done()), None)
        if oldest is None:
            return False
        del self._answers[oldest]
        return True

    async def _run(self, request: Request, body: RequestMessage, caller: Caller) -> Reply | Failure:
        name = type(body).__name__
        registration = self._handlers.get(type(body))
        try:
            if registration is None:
                raise NotServed(node=self._node, request=name)
            self._check(registration.audience, caller, name)
            reply = await registration.handler(caller, body)
        except SsiError as exc:
            return make_failure(request.id, exc)
        except Exception as exc:
            _log.exception("event=handler-broke request=%s user=%s", name, caller.user)
            broken = AgentFailed(
                node=self._node, request=name, reason=f"{type(exc).__name__}: {exc}"
            )
            return make_failure(request.id, broken)
        encoded = encode_reply_body(reply)
        size_bytes = memoryview(encoded).nbytes
        if size_bytes > MAX_CONTROL_FRAME_BYTES - ENVELOPE_BYTES:
            too_large = AnswerTooLarge(node=self._node, request=name, size_bytes=size_bytes)
            return make_failure(request.id, too_large)
        return Reply(request.id, encoded)

    def _check(self, audience: Audience, caller: Caller, name: str) -> None:
        if audience is Audience.ROOT and not (caller.is_root or caller.user == self._owner):
            raise NotPermitted(node=self._node, user=caller.user, deed=f"ask for {name}")
        # Images of jobs are as good as root, so only agents that are root may deal in them.
        if audience is Audience.NODE and not (caller.node and caller.is_root):
            raise NotPermitted(
                node=self._node, user=caller.user, deed=f"ask for {name}: nodes only"
            )
