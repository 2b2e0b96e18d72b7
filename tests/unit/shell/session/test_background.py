"""What is told of jobs in the background."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shell.session.background import Background
from shell.session.jobtable import JobTable
from ssi.client.jobs import JobHandle
from ssi.client.viewer import Watch
from ssi.model.errors import SsiError
from ssi.model.job import JobState
from ssi.protocol.refusals import LinkDown

AWAY = LinkDown(node="n2", reason="silent for 60 s")


def row(**changes: Any) -> SimpleNamespace:
    """What is known of a job that has ended well."""
    known = {"gpid": 20000004, "state": JobState.EXITED, "exit_status": 0, "problem": ""}
    known |= {"killed_by": 0, "dumped_core": False, "detached": True, "has_terminal": True}
    return SimpleNamespace(**{**known, **changes})


@dataclass
class Job:
    """A job without output."""

    ends: SimpleNamespace | SsiError
    forgets: SsiError | None = None
    row: SimpleNamespace = field(default_factory=row)

    async def read(self, _stream: str, offset: int) -> SimpleNamespace:
        return SimpleNamespace(offset=offset, data=b"", ended=True)

    async def wait(self) -> SimpleNamespace:
        if isinstance(self.ends, SsiError):
            raise self.ends
        return self.ends

    async def release(self) -> None:
        if self.forgets is not None:
            raise self.forgets


def news_of(job: Job) -> list[str]:
    async def show(_data: bytes) -> None: ...

    async def follow() -> list[str]:
        table = JobTable()
        background = Background(cast("Any", None), table, show)
        entry = table.add("make -j8", (cast("JobHandle", job),), Watch())
        background.follow(entry)
        await background.wait(entry)
        return background.news()

    return asyncio.run(follow())


def test_an_end_that_nobody_can_tell_is_told_as_unknown_with_the_reason() -> None:
    line, reason = news_of(Job(AWAY))
    assert "Lost" in line and "make -j8" in line
    assert reason == f"ssi: what became of 20000004 is unknown: {AWAY}"


def test_a_lost_job_is_told_with_its_problem() -> None:
    lost = row(state=JobState.LOST, exit_status=None, problem="its node has booted since")
    assert news_of(Job(lost))[1] == "ssi: 20000004 is lost: its node has booted since"


@pytest.mark.parametrize(("status", "word"), [(0, "Done"), (3, "Exit 3")])
def test_a_status_that_is_known_stands_though_the_node_is_away_then(status: int, word: str) -> None:
    (line,) = news_of(Job(row(exit_status=status), forgets=AWAY))
    assert word in line.split("  ")[1]
