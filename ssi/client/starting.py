"""What is interrupted while it is being started: it is ended as soon as it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from ssi.client.jobs import JobHandle
from ssi.client.pipes import Pipeline
from ssi.client.system import System
from ssi.model.errors import SsiError

BegunT = TypeVar("BegunT")


async def begun(
    system: System, start: Awaitable[BegunT], end: Callable[[BegunT], Awaitable[None]]
) -> BegunT:
    """What ``start`` gives; where ^C comes first, that is ended as soon as it is there.

    Raises:
        SsiError: As ``start``.
    """
    starting = asyncio.ensure_future(start)

    async def undo() -> None:
        with suppress(SsiError):  # it was not begun, or is out of reach: its lease ends it
            await end(await starting)

    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        system.later(undo())
        raise


async def take_down(job: JobHandle) -> None:
    """Ends a job, and lets go of it."""
    await Pipeline([job]).take_down()
