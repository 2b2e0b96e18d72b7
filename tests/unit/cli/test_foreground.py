"""A command in the place of a job: signals, and what it tells."""

from __future__ import annotations

import asyncio
import signal
from typing import cast

import msgspec
import pytest

from ssi.cli import foreground
from ssi.cli.foreground import _problems, _Sending, _what_leaves
from ssi.client.jobs import JobHandle
from ssi.client.viewer import View
from ssi.model.job import JobRow, JobState
from ssi.protocol.refusals import JobStandsStill

ROW = JobRow(
    gpid=15_000_001,
    node="n1",
    user="ada",
    argv=("sleep",),
    cwd="/",
    state=JobState.MIGRATING,
    start_ms=1,
)


class StandingJob:
    """Takes no signal until it goes on."""

    def __init__(self) -> None:
        self.goes_on = asyncio.Event()
        self.got: list[int] = []

    async def signal(self, number: int) -> None:
        await self.goes_on.wait()
        self.got.append(number)


class GoneJob:
    async def signal(self, number: int) -> None:
        raise JobStandsStill(gpid=15_000_001, node="n1")


def test_whoever_cannot_reach_the_job_leaves_by_a_second_signal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(foreground, "UNHEARD_S", 0.05)

    async def test() -> None:
        job = StandingJob()
        sending = _Sending(cast("JobHandle", job))
        sending.forward(signal.SIGINT)
        sending.forward(signal.SIGINT)  # at once: it may be on its way
        await asyncio.sleep(0.06)
        assert not sending.left.done()
        sending.forward(signal.SIGTERM)
        assert await sending.left == signal.SIGTERM
        assert sending.heard == {signal.SIGINT, signal.SIGTERM}
        job.goes_on.set()
        await asyncio.sleep(0.01)
        assert job.got == [signal.SIGINT] * 2, "what was sent before goes to the job all the same"

    asyncio.run(test())


def test_signals_that_arrive_make_nobody_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreground, "UNHEARD_S", 0.0)

    async def test() -> None:
        job = StandingJob()
        job.goes_on.set()
        sending = _Sending(cast("JobHandle", job))
        for _ in range(3):
            sending.forward(signal.SIGINT)
            await asyncio.sleep(0.01)
        assert job.got == [signal.SIGINT] * 3
        assert not sending.left.done()

    asyncio.run(test())


def test_a_signal_that_the_job_never_took_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    async def test() -> None:
        sending = _Sending(cast("JobHandle", GoneJob()))
        sending.forward(signal.SIGINT)
        await asyncio.sleep(0.01)

    asyncio.run(test())
    assert "SIGINT was not passed on: job 15000001" in capsys.readouterr().err


def test_each_problem_of_a_job_in_doubt_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    tell = _problems("^C twice", raw=False)
    tell(ROW)
    assert capsys.readouterr().err == ""
    doubted = msgspec.structs.replace(ROW, problem="in doubt: n2 is silent")
    tell(doubted)
    tell(doubted)
    assert capsys.readouterr().err == (
        "ssi: job 15000001 neither runs on nor ends: in doubt: n2 is silent; ^C twice leaves it\n"
    )
    tell(msgspec.structs.replace(doubted, state=JobState.LOST, problem="it died"))
    assert capsys.readouterr().err == "", "its end is told elsewhere"


def test_on_a_terminal_it_is_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    _problems("~.", raw=True)(msgspec.structs.replace(ROW, problem="in doubt"))
    told = capsys.readouterr().err
    assert told.startswith("\r\nssi: ") and told.endswith("; ~. leaves it\r\n")


@pytest.mark.parametrize(
    ("view", "raw", "keys"),
    [
        (View(), True, "~."),
        (View(escape=b"#"), True, "#."),
        (View(escape=b""), True, ""),
        (View(), False, "^C twice"),
        (View(read_only=True), True, "^C"),
        (View(read_only=True), False, "^C"),
    ],
)
def test_the_keys_that_are_told_are_those_that_leave(view: View, raw: bool, keys: str) -> None:
    assert _what_leaves(view, raw=raw) == keys


def test_where_no_key_leaves_none_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    _problems("", raw=True)(msgspec.structs.replace(ROW, problem="in doubt"))
    assert capsys.readouterr().err.endswith("nor ends: in doubt\r\n")
