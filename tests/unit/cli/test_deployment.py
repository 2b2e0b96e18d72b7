"""How `ssi up` and `ssi down` end: one line for hosts that fail alike, and the highest code."""

from __future__ import annotations

import json

import pytest

from ssi.cli.outcome import ended
from ssi.cli.output import Output
from ssi.cli.up import finish
from ssi.deploy.errors import NoPython
from ssi.deploy.progress import Outcome, Step
from ssi.deploy.unreached import LoginRefused
from ssi.view.listing import Format
from tests.schema import breaches

REFUSED = {
    f"n{number}": LoginRefused(host=f"n{number}", user="ada", offered=["key"])
    for number in range(3, 10)
}
OUTCOMES = [
    Outcome("n1", [Step("connect", 0.25), Step("join", 0.5)], "joined as node 1"),
    *(Outcome(host, [], "", error) for host, error in REFUSED.items()),
    Outcome("n2", [], "", NoPython(host="n2")),
]


def end(output: Output) -> int:
    return ended(lambda: finish(OUTCOMES, "up", 1.5, output))


def test_hosts_that_fail_alike_share_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert end(Output()) == 51
    shown = capsys.readouterr()
    refused, no_python, counts = shown.err.splitlines()
    assert refused.startswith("ssi: n[3-9]")
    assert refused.endswith("[login-refused]")
    assert no_python.endswith("[no-python]")
    assert counts == "ssi: 1 of 9 hosts up in 1.5 s"
    assert shown.out == ""


def test_programs_get_an_object_for_each_host(capsys: pytest.CaptureFixture[str]) -> None:
    assert end(Output(format=Format.JSON)) == 51
    rows = json.loads(capsys.readouterr().out)
    assert breaches(rows, "up") == []
    assert (rows[0]["done"], rows[0]["took_s"]) == ("joined as node 1", 0.75)
    assert [row["error"] for row in rows] == [None, *["login-refused"] * 7, "no-python"]
