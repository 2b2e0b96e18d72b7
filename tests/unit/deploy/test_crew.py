"""Many hosts at once: who is through is told, who is not is given up when the time is over."""

from __future__ import annotations

import threading

import pytest

from ssi.deploy.crew import AT_A_TIME, work_on
from ssi.deploy.errors import NoPython
from ssi.deploy.limit import KEPT_S, Limit
from ssi.deploy.progress import Journey, Outcome, Unwatched
from ssi.model.errors import SsiError

Told = list[tuple[str, SsiError | None]]


def forever() -> None:
    """No limit."""


def test_each_host_is_told_with_why_it_failed() -> None:
    hosts = [f"n{number}" for number in range(1, AT_A_TIME * 2)]
    told: Told = []
    no_python = NoPython(host="n2")

    def work(host: str) -> None:
        if host == "n2":
            raise no_python

    late = work_on(hosts, work, lambda host, error: told.append((host, error)), forever)
    assert late == []
    assert dict(told) == {**dict.fromkeys(hosts), "n2": no_python}


def test_hosts_that_hang_are_given_up_and_no_further_one_is_begun() -> None:
    begun: list[str] = []
    go = threading.Event()
    told: Told = []
    hosts = ["quick", *(f"n{number}" for number in range(1, AT_A_TIME + 5))]

    def work(host: str) -> None:
        begun.append(host)
        if host != "quick":
            go.wait(60)

    def ended(host: str, error: SsiError | None) -> None:
        told.append((host, error))

    before = set(threading.enumerate())
    late = work_on(hosts, work, ended, lambda: 0.0 if told else None)
    go.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
    assert told == [("quick", None)]
    assert late == hosts[1:]
    assert len(begun) <= AT_A_TIME + 1


def test_what_no_host_can_fail_with_is_raised_here() -> None:
    def work(_host: str) -> None:
        raise LookupError("a bug")

    with pytest.raises(LookupError, match="a bug"):
        work_on(["n1"], work, lambda _host, _error: None, forever)


def test_a_journey_that_was_given_up_goes_no_step_further() -> None:
    journey = Journey(Unwatched(), Outcome("n1"))
    with journey.step("connect"):
        journey.give_up(Limit(4.0), "ssi up --retry")
    error = journey.outcome.error
    assert error is not None
    assert error.exit_code == 124
    assert str(error).startswith("n1: not done within 4 s; it was at: connect; ")
    with pytest.raises(type(error)), journey.step("probe"):
        pytest.fail("a step was begun")


@pytest.mark.parametrize(("after_s", "kept_s"), [(8.0, 2.0), (3600.0, KEPT_S)])
def test_a_part_of_the_time_is_kept_for_the_last_steps(after_s: float, kept_s: float) -> None:
    limit = Limit(after_s)
    whole_s, first_s = limit.left_s(), limit.left_s(kept=True)
    assert whole_s is not None
    assert first_s is not None
    assert whole_s - first_s == pytest.approx(kept_s, abs=0.5)
    assert limit.at_most_s(0.5) == 0.5


def test_without_a_limit_steps_have_their_own() -> None:
    assert Limit().left_s() is None
    assert Limit().at_most_s(15.0) == 15.0
    assert Limit(0.05, began_s=0.0).left_s() == 0.0
