"""The bash that answers little scripts on another node: a real one in the place of the job."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import cast

import pytest

from shell.prompt import questions
from shell.session.sidebash import SERVER, SideBash
from ssi.client.jobs import JobHandle
from ssi.protocol.refusals import NotAJob

PATIENCE_S = 60.0


class BashJob:
    """A job with pipes, of this machine."""

    node = "n2"
    row = SimpleNamespace(gpid=25000001)

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._read = 0

    async def write(self, offset: int, data: bytes) -> SimpleNamespace:
        assert self._process.stdin is not None
        self._process.stdin.write(data[:700])  # a job takes what it has room for
        return SimpleNamespace(offset=offset + len(data[:700]), closed=False)

    async def read(self, _stream: str, offset: int) -> SimpleNamespace:
        assert self._process.stdout is not None
        assert offset == self._read
        data = await self._process.stdout.read(50)
        self._read += len(data)
        return SimpleNamespace(offset=offset, data=data, ended=not data)

    async def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def wait(self) -> None:
        await self._process.wait()

    async def release(self) -> None:
        return


async def talk() -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("bash", "-c", SERVER, stdin=pipe, stdout=pipe)
    bash = SideBash("n2", "n1", cast("JobHandle", BashJob(process)))
    assert await bash.ask("printf 'a\\0b\\n'; cat; x=1; exit 3", "/usr") == b"a\0b\n"
    assert await bash.ask('echo "$PWD${x-}"; echo unheard >&2', "/usr") == b"/usr\n"
    assert await bash.ask("if", "/usr") == b""
    assert b"dlib\0" in await bash.ask(questions.files("li"), "/usr")
    assert await bash.ask("printf '%5000s' x", "/") == b" " * 4999 + b"x"
    assert bash.is_fit("n1")
    assert not bash.is_fit("n3")
    with pytest.raises(NotAJob):
        await bash.ask("kill -KILL $$", "/")
    assert not bash.is_fit("n1")
    await bash.close()


def test_it_answers_one_script_after_another_and_none_sees_what_the_last_left() -> None:
    asyncio.run(asyncio.wait_for(talk(), PATIENCE_S))
