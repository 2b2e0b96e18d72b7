"""Requests as an agent gets them, without a socket."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from nodeagent.dispatch import Dispatcher
from ssi.model.errors import SsiError
from ssi.protocol.codec import decode_reply_body, encode_request_body, error_of
from ssi.protocol.envelope import Failure, Reply, Request
from ssi.protocol.message import RequestMessage
from ssi.protocol.messages import ReplyBody


def run(test: Coroutine[Any, Any, None]) -> None:
    """Runs a test on a loop of its own, a minute at the most."""

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test

    asyncio.run(bounded())


def request_of(
    body: RequestMessage,
    *,
    target: str = "",
    caller: str = "",
    request_id: bytes = b"",
    deadline_ms: int = 1000,
) -> Request:
    identity = request_id or secrets.token_bytes(16)
    return Request(identity, target, caller, deadline_ms, encode_request_body(body))


def reply_in(answer: Reply | Failure) -> ReplyBody:
    assert isinstance(answer, Reply), answer
    return decode_reply_body(answer.body)


def error_in(answer: Reply | Failure) -> SsiError:
    assert isinstance(answer, Failure), answer
    return error_of(answer)


class _Over(Exception):
    """The test is done."""


@asynccontextmanager
async def dispatcher(node: str = "n1") -> AsyncIterator[Dispatcher]:
    """A dispatcher whose tasks end with the test."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield Dispatcher(node, tasks)
            raise _Over
    except* _Over:
        pass


def least_of(kind: type[RequestMessage]) -> RequestMessage:
    """A request with the least that each of its fields takes."""
    made = _least(msgspec.inspect.type_info(kind))
    assert isinstance(made, RequestMessage)
    return made


def _least(kind: object) -> object:
    match kind:
        case msgspec.inspect.IntType():
            return 0
        case msgspec.inspect.FloatType():
            return 0.0
        case msgspec.inspect.StrType():
            return ""
        case msgspec.inspect.BytesType():
            return b""
        case msgspec.inspect.BoolType():
            return False
        case msgspec.inspect.VarTupleType():
            return ()
        case msgspec.inspect.DictType():
            return {}
        case msgspec.inspect.LiteralType(values=[first, *_]):
            return first
        case msgspec.inspect.EnumType(cls=cls):
            return next(iter(cls))
        case msgspec.inspect.UnionType():
            return None
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            return cls(**{field.name: _least(field.type) for field in fields})
        case _:
            raise AssertionError(kind)
