from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import cast

import pytest

from shell.errors import NoSuchJob
from shell.session.jobtable import Entry, JobTable, jobs_text, with_gpids
from ssi.client.jobs import JobHandle
from ssi.client.viewer import Watch
from ssi.model.job import JobRow, JobState


def handle(gpid: int) -> JobHandle:
    row = SimpleNamespace(gpid=gpid, node="n1", killed_by=0, dumped_core=False)
    return cast("JobHandle", SimpleNamespace(row=row))


def table() -> tuple[JobTable, Entry, Entry, Entry]:
    jobs = JobTable()
    made = [
        jobs.add(command, (handle(15000001 + number),), Watch())
        for number, command in enumerate(("vim a", "make -j8", "vim b"))
    ]
    return jobs, made[0], made[1], made[2]


def test_words_name_jobs_as_in_bash() -> None:
    jobs, first, second, third = table()
    assert jobs.find("%1") is first
    assert jobs.find("%make") is second
    assert jobs.find("%?-j") is second
    assert jobs.find("15000002") is second
    assert jobs.find("%+") is jobs.find("%%") is jobs.find("%") is third
    assert jobs.find("%-") is second
    for spec in ("%vim", "%9", "%?nothing", "15000009"):
        with pytest.raises(NoSuchJob):
            jobs.find(spec)


def test_a_stopped_job_is_the_present_one() -> None:
    jobs, first, _, _ = table()
    first.state = JobState.STOPPED
    assert jobs.find("%+") is first
    assert [line.mark for line in jobs.lines()] == ["+", " ", "-"]


def test_numbers_are_those_of_bash_after_an_end() -> None:
    jobs, first, _, third = table()
    jobs.remove(third)
    assert jobs.add("new", (handle(15000009),), Watch()).number == 3
    jobs.remove(first)
    assert jobs.add("newer", (handle(15000010),), Watch()).number == 4


def test_the_list_reads_as_bashs() -> None:
    jobs, first, second, _ = table()
    first.state = JobState.STOPPED
    second.state, second.statuses = JobState.EXITED, (0, 3)
    assert jobs_text(jobs.lines()) == (
        "[1]+  Stopped                 vim a\n"
        "[2]   Exit 3                  make -j8\n"
        "[3]-  Running                 vim b &\n"
    )
    assert jobs_text(jobs.lines()[:1], long=True) == (
        "[1]+  15000001 n1       Stopped                 vim a\n"
    )


@pytest.mark.parametrize(
    ("number", "core", "shown"),
    [
        (signal.SIGTERM, False, "Terminated              vim a"),
        (signal.SIGKILL, False, "Killed                  vim a"),
        (signal.SIGHUP, False, "Hangup                  vim a"),
        (signal.SIGUSR1, False, "User defined signal 1   vim a"),
        (signal.SIGSEGV, True, "Segmentation fault      (core dumped) vim a"),
        (signal.SIGXCPU, True, "CPU time limit exceeded (core dumped) vim a"),
        (0, False, "Exit 143                vim a"),  # it said so itself
    ],
)
def test_the_end_by_a_signal_is_named_as_by_bash(number: int, core: bool, shown: str) -> None:
    jobs, first, _, _ = table()
    first.state, first.statuses = JobState.EXITED, (number + 128 if number else 143,)
    first.handles[-1].row = cast(
        "JobRow", SimpleNamespace(gpid=1, node="n1", killed_by=number, dumped_core=core)
    )
    assert jobs_text(jobs.lines()[:1]) == f"[1]   {shown}\n"


def test_gpids_take_the_place_of_words() -> None:
    assert with_gpids(["-9", "%make", "x", "%"], table()[0]) == ["-9", "15000002", "x", "%"]
