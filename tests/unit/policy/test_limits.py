"""Whether what a machine allows is enough."""

from __future__ import annotations

import msgspec
import pytest

from nodeagent.mechanism.limits import limits_here
from ssi.model.examination import UNKNOWN, Finding, Limits, Verdict
from ssi.policy.limits import judge_limits

ENOUGH = Limits(
    open_files=65536, inotify_instances=128, inotify_watches=8192, user_namespaces=96365
)


def judged(changes: dict[str, int] | None = None) -> list[Finding]:
    limits = msgspec.structs.replace(ENOUGH, **(changes or {}))
    return judge_limits("n1", limits, is_root=True)


def test_what_is_enough_is_shown_as_such() -> None:
    found = judged()
    assert [each.check for each in found] == ["open files", "inotify", "user namespaces"]
    assert {each.verdict for each in found} == {Verdict.OK}


@pytest.mark.parametrize(
    ("changes", "check", "remedy"),
    [
        ({"open_files": 1024}, "open files", "prlimit --nofile=65536 --pid"),
        ({"inotify_instances": 64}, "inotify", "ssh n1 sysctl -w fs.inotify.max_user_instances="),
        ({"inotify_watches": 100}, "inotify", "ssh n1 sysctl -w fs.inotify."),
    ],
)
def test_what_is_too_little_is_told_with_the_command_that_mends_it(
    changes: dict[str, int], check: str, remedy: str
) -> None:
    (found,) = [each for each in judged(changes) if each.verdict is not Verdict.OK]
    assert (found.check, found.verdict) == (check, Verdict.WARN)
    assert remedy in found.remedy


def test_user_namespaces_matter_to_who_is_not_root() -> None:
    assert [each.verdict for each in judged({"user_namespaces": 0})][-1] is Verdict.OK
    last = judge_limits("here", Limits(user_namespaces=0), is_root=False)[-1]
    assert (last.verdict, last.remedy) == (
        Verdict.WARN,
        "sysctl -w user.max_user_namespaces=15000",
    )


def test_what_is_not_told_is_not_judged() -> None:
    assert judge_limits("n1", Limits(), is_root=True) == []


def test_this_machine_tells_its_limits() -> None:
    told = limits_here()
    assert told.inotify_watches > 0
    assert told.open_files == UNKNOWN or told.open_files > 0
