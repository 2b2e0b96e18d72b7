"""Whom a thaw continues, and who is told to have ended."""

from __future__ import annotations

import os
import subprocess

from nodeagent.shim.aftermath import to_wake, with_losses
from nodeagent.shim.tree import Member
from ssi.model.shim import DumpFailed


def member(pid: int, state: str) -> Member:
    return Member(pid=pid, parent=1, state=state, name="x")


def test_of_a_dumped_job_those_are_continued_who_have_not_noticed_yet_that_they_stop() -> None:
    members = [member(12, "T"), member(11, "t"), member(10, "R"), member(9, "S")]
    assert to_wake(members, frozenset(), all_stopped=True) == [12, 11, 10, 9]


def test_of_a_job_whose_dump_failed_only_those_are_continued_who_stand_still() -> None:
    members = [member(12, "T"), member(11, "t"), member(10, "R"), member(9, "S")]
    assert to_wake(members, frozenset(), all_stopped=False) == [12, 11]


def test_who_was_stopped_before_the_dump_stays_so_and_the_dead_are_left_alone() -> None:
    members = [member(12, "T"), member(11, "Z"), member(10, "T")]
    assert to_wake(members, frozenset({10}), all_stopped=True) == [12]


def test_a_failed_dump_tells_which_processes_have_ended_since_it_began() -> None:
    with subprocess.Popen(["sleep", "60"]) as ended, subprocess.Popen(["sleep", "60"]) as lives:
        before = [
            Member(pid=pid, parent=1, state=state, name=name)
            for pid, state, name in (
                (ended.pid, "S", "make"),
                (lives.pid, "S", "cc"),
                (2**22 + 1, "Z", "was dead before"),
            )
        ]
        failure = DumpFailed(reason="criu was killed")
        assert with_losses(failure, before) is failure
        ended.kill()
        # A zombie has ended, too: whoever started it has not asked yet.
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        told = with_losses(failure, before).reason
        lives.kill()
    lost = f"{ended.pid} (make)"
    assert told == f"criu was killed; of its processes these ended with it: {lost}"


def test_of_many_processes_that_have_ended_five_are_named() -> None:
    gone = [member(2**22 + number, "S") for number in range(1, 9)]
    told = with_losses(DumpFailed(reason="r"), gone).reason
    assert told.count("(x)") == 5 and told.endswith("and 3 more")
