"""Jobs that were sent to nodes whose metrics do not know of them yet."""

from __future__ import annotations

from ssi.policy.arrivals import KNOWN_AFTER_S, Arrivals


def test_a_job_counts_until_the_metrics_of_its_node_must_know_of_it() -> None:
    arrivals = Arrivals()
    arrivals.sent("n2")
    assert arrivals.coming(0.0) == {"n2": 1}
    arrivals.landed("n2", 10.0)
    assert arrivals.coming(10.0) == {"n2": 1}
    assert arrivals.coming(10.0 + KNOWN_AFTER_S) == {}


def test_a_job_that_did_not_come_counts_no_more() -> None:
    arrivals = Arrivals()
    arrivals.sent("n2")
    arrivals.sent("n2")
    arrivals.failed("n2")
    assert arrivals.coming(0.0) == {"n2": 1}
