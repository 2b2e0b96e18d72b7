"""Priorities and what is private of a process: for its owner and root, and for the one meant."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from nodeagent.dispatch import Caller
from nodeagent.jobtable import JobTable
from nodeagent.services.table import TableService
from nodeagent.services.tuning import TuningService
from ssi.protocol.message import ReplyMessage, RequestMessage
from ssi.protocol.refusals import NoSuchProcess, NotPermitted, NotServed
from ssi.protocol.table import InspectProcess, ProcessInspected, TuneProcess
from tests.unit.nodeagent.asking import dispatcher, error_in, reply_in, request_of, run
from tests.unit.view.samples import process

ROOT = Caller(user="root")
ME = Caller(user=pwd.getpwuid(os.getuid()).pw_name)
NOBODY = Caller(user="nobody")


class Table:
    """A table of one process, which is one of this machine."""

    def __init__(self, pid: int) -> None:
        self.row = process(gpid=10000000 + pid, pid=pid, user=ME.user, nice=0)

    def rows(self) -> list[object]:
        return [self.row]


@pytest.fixture
def sleeper() -> Iterator[Table]:
    with subprocess.Popen(["sleep", "60"], env={"SECRET": "x y"}) as child:
        yield Table(child.pid)
        child.kill()


NO_JOBS = cast("JobTable", SimpleNamespace(jobs={}))


def asked(table: Table, body: RequestMessage, caller: Caller) -> ReplyMessage | Exception:
    answers: list[ReplyMessage | Exception] = []

    async def test() -> None:
        async with dispatcher() as d:
            TuningService("n1", NO_JOBS, cast("TableService", table)).register_handlers(d)
            answer = await d.answer(request_of(body), caller)
            answers.append(error_in(answer) if hasattr(answer, "word") else reply_in(answer))

    run(test())
    return answers[0]


def tune(table: Table, **changes: object) -> TuneProcess:
    made: TuneProcess = TuneProcess(
        gpid=table.row.gpid,
        start_ms=table.row.start_ms,
        **changes,  # type: ignore[arg-type]
    )
    return made


def test_the_owner_makes_a_process_nicer(sleeper: Table) -> None:
    nicer = min(os.nice(0) + 5, 19)
    asked(sleeper, tune(sleeper, nice=nicer, io_class=3), ME)
    assert os.getpriority(os.PRIO_PROCESS, sleeper.row.pid) == nicer


def test_where_it_runs_is_set_and_told(sleeper: Table) -> None:
    asked(sleeper, tune(sleeper, cpus=(0,)), ME)
    body = InspectProcess(gpid=sleeper.row.gpid, start_ms=sleeper.row.start_ms, aspect="cpus")
    told = asked(sleeper, body, ME)
    assert isinstance(told, ProcessInspected)
    assert told.lines[1] == "0"


def test_processors_that_are_not_there_are_refused(sleeper: Table) -> None:
    assert isinstance(asked(sleeper, tune(sleeper, cpus=(4000,)), ME), NotServed)


def test_others_are_refused(sleeper: Table) -> None:
    assert isinstance(asked(sleeper, tune(sleeper, nice=5), NOBODY), NotPermitted)
    body = InspectProcess(
        gpid=sleeper.row.gpid, start_ms=sleeper.row.start_ms, aspect="environment"
    )
    assert isinstance(asked(sleeper, body, NOBODY), NotPermitted)
    assert os.getpriority(os.PRIO_PROCESS, sleeper.row.pid) == os.nice(0)


def test_another_process_with_its_pid_is_left_alone(sleeper: Table) -> None:
    body = TuneProcess(gpid=sleeper.row.gpid, start_ms=1, nice=5)
    assert isinstance(asked(sleeper, body, ROOT), NoSuchProcess)
    assert os.getpriority(os.PRIO_PROCESS, sleeper.row.pid) == os.nice(0)


@pytest.mark.parametrize(("aspect", "told"), [("environment", "SECRET=x y"), ("files", "/dev/")])
def test_its_owner_sees_what_it_has(sleeper: Table, aspect: str, told: str) -> None:
    body = InspectProcess(
        gpid=sleeper.row.gpid,
        start_ms=sleeper.row.start_ms,
        aspect=aspect,  # type: ignore[arg-type]
    )
    answer = asked(sleeper, body, ME)
    assert isinstance(answer, ProcessInspected)
    assert any(told in line for line in answer.lines)


def test_calls_are_watched_by_strace_or_it_is_told_that_there_is_none(
    sleeper: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = InspectProcess(gpid=sleeper.row.gpid, start_ms=sleeper.row.start_ms, aspect="calls")
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = asked(sleeper, body, ME)
    assert isinstance(missing, NotServed)
    assert "strace is not installed" in missing.what()
    fake = tmp_path / "strace"
    fake.write_text('#!/bin/sh\necho "clock_nanosleep($*) = 0" >&2\n')
    fake.chmod(0o755)
    told = asked(sleeper, body, ME)
    assert isinstance(told, ProcessInspected)
    assert f"-p {sleeper.row.pid}" in told.lines[0]
