"""The bash of a session as the shell hears of it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shell.session.resident import Resident
from shell.session.told import frame
from shell.session.values import ShellLeft
from ssi.client.jobs import JobHandle
from ssi.model.errors import SsiError


class EndedJob:
    """A job that takes nothing any more, and whose last output comes when it is let."""

    def __init__(self, last: bytes) -> None:
        self.row = SimpleNamespace(node="n1")
        self.comes = asyncio.Event()
        self._last = last

    async def write(self, offset: int, _data: bytes) -> Any:
        asyncio.get_running_loop().call_later(0.05, self.comes.set)
        return SimpleNamespace(closed=True, offset=offset)

    async def read(self, _stream: str, offset: int) -> Any:
        if offset == 0:
            await self.comes.wait()
            return SimpleNamespace(offset=0, data=self._last, ended=False)
        return SimpleNamespace(offset=offset, data=b"", ended=True)

    def dawdle(self) -> None:
        pass


async def nothing(_data: bytes) -> None:
    pass


def heard_of(last: bytes) -> BaseException:
    """How a line ends whose bash had ended when it was sent the line."""

    async def story() -> BaseException:
        bash = Resident(cast("JobHandle", EndedJob(last)), nothing)
        with pytest.raises((ShellLeft, SsiError)) as caught:
            await bash.line("exit 7")
        await bash.drop()
        return caught.value

    return asyncio.run(story())


def test_that_bash_was_told_to_end_is_heard_although_it_takes_nothing_any_more() -> None:
    left = heard_of(frame("X", b"7"))
    assert isinstance(left, ShellLeft), left


def test_bash_that_ended_without_a_word_is_lost() -> None:
    assert isinstance(heard_of(frame("O", b"bye")), SsiError)
