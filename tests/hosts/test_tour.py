"""The tour, on hosts where others have been."""

from __future__ import annotations

from pathlib import Path

from ssi.cli.tour import COMPRESSION, NUMBERS
from ssi.lab import Host
from tests.hosts.system import Ssi

TOUR_TIMEOUT_S = 280.0
ANOTHER = "/srv/another.txt"


def put(host: Host, path: str, text: str) -> None:
    made = host.run(
        "sh", "-c", f"mkdir -p {Path(path).parent} && cat > {path}", input=text.encode()
    )
    assert made.returncode == 0, made


def test_a_tour_goes_through_where_others_ended_and_were_interrupted(ssi: Ssi) -> None:
    """A whole one leaves its result on n3, in the way of the next; an interrupted one its job."""
    put(ssi.host("n3"), NUMBERS, "other numbers")
    put(ssi.host("n3"), f"{NUMBERS}.xz", "another result")
    put(ssi.host("n2"), f"{NUMBERS}.xz", "half a result")
    put(ssi.host("n1"), ANOTHER, "not of a tour")
    ssi.host("n1").run("sh", "-c", f"mkdir -p /srv/tour && seq 1 9999999 > {NUMBERS}")
    left = ssi.detached("n1", *COMPRESSION)
    ssi.ok("stop", left)
    other = ssi.detached("n1", "sleep", "600")
    result = ssi("tour", timeout_s=TOUR_TIMEOUT_S)
    assert result.status == 0, result
    assert "the same, byte for byte" in result.out
    assert f"kill -KILL {left}" in result.out
    assert ssi.job(left)["exit_status"] == 137
    assert ssi.job(other)["state"] == "running"
    assert ssi.host("n1").run("cat", ANOTHER).stdout == b"not of a tour"
    ssi.ok("kill", other)
    ssi.host("n1").run("rm", ANOTHER)
    for node in ("n1", "n2", "n3"):
        ssi.host(node).run("rm", "-rf", "/srv/tour")
