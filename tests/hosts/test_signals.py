"""Signals to any process of any node, and to nothing else."""

from __future__ import annotations

import json

from tests.hosts.system import Ssi, eventually
from tests.schema import breaches


def states(ssi: Ssi, *gpids: str) -> list[str]:
    rows = {str(row["gpid"]): row["state"] for row in ssi.json("ps")}
    return [rows.get(gpid, "gone") for gpid in gpids]


def test_many_at_a_time_on_mixed_nodes_stop_and_go_on(ssi: Ssi) -> None:
    gpids = [ssi.detached(node, "sleep", "100") for node in ("n1", "n2", "n3")]
    ssi.ok("stop", *gpids)
    assert states(ssi, *gpids) == ["T", "T", "T"]
    ssi.ok("cont", *gpids)
    eventually(lambda: states(ssi, *gpids) == ["S", "S", "S"], what="they sleep on")
    ssi.ok("kill", *gpids)
    assert [ssi("wait", gpid).status for gpid in gpids] == [143, 143, 143]


def test_a_jobs_own_gpid_means_all_of_its_processes(ssi: Ssi) -> None:
    gpid = ssi.detached("n1", "sh", "-c", "sleep 100 & sleep 100 & (setsid sleep 100 &) ; wait")

    def of_job() -> list[str]:
        return [row["state"] for row in ssi.json("ps", "--jobs") if str(row["job"]) == gpid]

    eventually(lambda: len(of_job()) == 4, what="the job has four processes")
    ssi.ok("stop", gpid)
    assert set(of_job()) == {"T"}
    assert ssi.job(gpid)["state"] == "stopped"
    ssi.ok("cont", gpid)
    ssi.ok("kill", "-KILL", gpid)
    assert ssi("wait", gpid).status == 137
    eventually(lambda: not of_job(), what="none of them is left")


def test_a_process_of_the_host_that_ssi_did_not_start_is_signalled_too(ssi: Ssi) -> None:
    ssi.host("n2").run("sh", "-c", "sleep 4321 >/dev/null 2>&1 </dev/null & true")
    # A shell that has not become the command yet is not shown as such.
    eventually(lambda: ssi("ps", "sleep 4321").status == 0, what="it is shown")
    (row,) = ssi.json("ps", "sleep 4321")
    assert (row["node"], row["job"]) == ("n2", None)
    ssi.ok("kill", "-9", str(row["gpid"]))
    eventually(lambda: ssi("ps", "sleep 4321").status == 1, what="the process has ended")


def test_one_that_is_gone_does_not_stop_the_others(ssi: Ssi) -> None:
    gone = ssi.detached("n1", "true")
    ssi("wait", gone)
    lives = ssi.detached("n2", "sleep", "100")
    told = ssi("cont", "--json", gone, lives)
    rows = json.loads(told.out)
    assert breaches(rows, "kill") == []
    assert [(str(row["gpid"]), row["error"]) for row in rows] == [
        (gone, "no-such-process"),
        (lives, None),
    ]
    result = ssi("kill", gone, lives)
    assert result.status == 8
    assert result.err.count("\n") == 1 and gone in result.err
    assert ssi("wait", lives).status == 143


def test_what_is_no_gpid_and_what_no_process_has_is_told_apart(ssi: Ssi) -> None:
    assert ssi("kill", "seven").err == (
        "ssi: 'seven' is not a gpid; a gpid is a number as `ssi ps` shows it, "
        "for instance 10004321 [gpid-invalid]\n"
    )
    assert ssi("kill", "seven").status == 2
    for gpid in ("14999999", "15999999", "99000001"):
        result = ssi("kill", gpid)
        assert result.status == 8, result
        assert f"no process has gpid {gpid}" in result.err


def test_a_signal_that_there_is_not_is_refused_before_anything(ssi: Ssi) -> None:
    gpid = ssi.detached("n1", "sleep", "100")
    result = ssi("kill", "-NOSUCH", gpid)
    assert result.status == 2 and "NOSUCH" in result.err
    eventually(lambda: states(ssi, gpid) == ["S"], what="it sleeps on")
    ssi.ok("kill", gpid)
