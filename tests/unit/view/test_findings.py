"""Findings of `ssi doctor` as text."""

from __future__ import annotations

from ssi.model.examination import Finding, Verdict
from ssi.view.findings import Diagnosis, finding_objects
from ssi.view.listing import Way, render

WELL = Finding(where="n1", check="root", verdict=Verdict.OK, text="the agent runs as root")
ILL = Finding(where="n2", check="criu", verdict=Verdict.FAIL, text="none", remedy="apt-get install")


def shown(*, everything: bool) -> str:
    return render(Diagnosis(findings=[WELL, ILL], everything=everything), Way())


def test_what_is_well_is_left_out_unless_asked_for() -> None:
    text = shown(everything=False)
    assert text.splitlines() == [
        "WHERE CHECK VERDICT FOUND",
        "n2    criu  fail    none",
        "                      -> apt-get install",
        "1 ok, 0 warn, 1 fail",
    ]
    assert "the agent runs as root" in shown(everything=True)


def test_a_system_that_is_well_has_one_line() -> None:
    assert render(Diagnosis(findings=[WELL], everything=False), Way()) == "1 ok, 0 warn, 0 fail\n"


def test_an_object_without_a_remedy_says_null() -> None:
    assert finding_objects([WELL])[0]["remedy"] is None
