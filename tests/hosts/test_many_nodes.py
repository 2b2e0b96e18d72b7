"""`ssi run` on several nodes at once, and what commands print for programs, on real hosts."""

from __future__ import annotations

import json
import signal
from typing import Any

import yaml

from tests.hosts.system import Ssi, eventually
from tests.schema import breaches

WITHIN_S = 60.0


def running(ssi: Ssi, *argv: str) -> list[Any]:
    """Jobs of that command that have not ended."""
    return [row for row in ssi.json("jobs") if row["args"] == list(argv) and not row["ended_at_s"]]


def test_each_line_has_its_node_and_the_highest_status_counts(ssi: Ssi) -> None:
    script = "echo out; echo one two >&2; printf unended; test $(hostname) != n2 || exit 7"
    result = ssi("run", "-n", "all", "--", "sh", "-c", script)
    assert result.status == 7
    assert sorted(result.out.splitlines()) == sorted(
        f"{node}: {text}" for node in ("n1", "n2", "n3") for text in ("out", "unended")
    )
    told = result.err.splitlines()
    assert sorted(told[:-1]) == [f"{node}: one two" for node in ("n1", "n2", "n3")]
    assert told[-1].startswith("ssi: n[1,3] ok; n2 exited with 7; 3 nodes in ")


def test_equal_outputs_are_folded(ssi: Ssi) -> None:
    script = "test $(hostname) = n2 && echo odd || echo even"
    result = ssi("run", "-n", "n1..3", "--fold", "--quiet", "--", "sh", "-c", script)
    rule = "---------------"
    assert result.out.splitlines() == [
        rule, "n[1,3] (2)", rule, "even",
        rule, "n2", rule, "odd",
    ]  # fmt: skip
    assert (result.status, result.err) == (0, "")


def test_stdin_goes_to_none_to_one_or_to_all(ssi: Ssi) -> None:
    data = b"".join(b"%d\n" % number for number in range(200_000))
    count = ("--", "wc", "-c")
    assert ssi.ok("run", "-n", "all", *count, stdin=data).split()[1::2] == ["0", "0", "0"]
    one = ssi.ok("run", "-n", "all", "--stdin", "n2", *count, stdin=data)
    assert sorted(one.splitlines()) == ["n1: 0", f"n2: {len(data)}", "n3: 0"]
    every = ssi.ok("run", "-n", "all", "--fanout", "1", "--stdin-all", *count, stdin=data)
    assert every.split()[1::2] == [str(len(data))] * 3


def test_programs_get_an_object_for_each_node(ssi: Ssi) -> None:
    script = "echo é; echo bad >&2; test $(hostname) = n1 || kill -9 $$"
    told: list[Any] = []
    for form in ("json", "jsonl", "yaml"):
        result = ssi("run", "-n", "n1,n3", "-o", form, "--", "sh", "-c", script)
        assert result.status == 137
        if form == "jsonl":
            rows = [json.loads(line) for line in result.out.splitlines()]
        else:
            rows = yaml.safe_load(result.out)
        assert breaches(rows, "run") == []
        told.append({row["node"]: (row["exit_status"], row["stdout"]) for row in rows})
    assert told == [{"n1": (0, "é\n"), "n3": (137, "é\n")}] * 3


def test_the_time_of_each_node_is_limited_and_its_command_ends(ssi: Ssi) -> None:
    sleep = ("sleep", "4321")
    result = ssi("run", "-n", "n[1-2]", "--timeout", "4", "--", *sleep)
    assert result.status == 124
    assert "n[1-2]: the command took longer than 4 s and was ended [ran-too-long]" in result.err
    assert "n[1-2] took too long" in result.err
    assert ssi("run", "-n", "n3", "--timeout", "1", "--", *sleep).status == 124
    eventually(lambda: not running(ssi, *sleep), within_s=WITHIN_S, what="they are ended")


def test_no_further_node_is_begun_on_once_enough_have_failed(ssi: Ssi) -> None:
    result = ssi(
        "run", "-n", "all", "--fanout", "1", "--max-fails", "2", "-o", "json", "--", "false"
    )
    rows = json.loads(result.out)
    assert [row["error"] for row in rows] == [None, None, "not-run"]
    assert [row["exit_status"] for row in rows[:2]] == [1, 1]
    assert result.status == 1
    assert "n[1-2] exited with 1; n3 left out" in result.err


def test_what_cannot_be_started_fails_alike_in_one_line(ssi: Ssi) -> None:
    result = ssi("run", "-n", "all", "--", "no-such-program")
    assert (result.status, result.out) == (127, "")
    (line,) = [each for each in result.err.splitlines() if "[command-not-found]" in each]
    assert line.startswith("ssi: n[1-3]: no-such-program: command not found")
    assert ssi("run", "-n", "all", "-t", "--", "true").status == 2
    assert ssi("run", "-n", "@gpu", "--", "true").status == 2, "nobody is not all"


def test_jobs_left_running_are_named_and_waited_for(ssi: Ssi) -> None:
    gpids = ssi.ok("run", "-n", "all", "-d", "--", "sh", "-c", "exit 3").split()
    assert [gpid[0] for gpid in gpids] == ["1", "2", "3"]
    result = ssi("wait", "--json", *gpids)
    assert result.status == 3
    rows = json.loads(result.out)
    assert breaches(rows, "wait") == []
    assert [(str(row["gpid"]), row["exit_status"]) for row in rows] == [(g, 3) for g in gpids]


def test_an_interrupt_reaches_all_and_a_closed_pipe_is_silent(ssi: Ssi) -> None:
    # No shell: dash catches SIGINT, and between two commands acts on it only after the next one.
    command = ("perl", "-e", '$| = 1; print "up\\n"; sleep 4322; print "never\\n"')
    with ssi.start("run", "-n", "all", "--", *command) as process:
        assert process.stdout is not None and process.stderr is not None
        assert {process.stdout.readline() for _ in range(3)} == {
            b"n1: up\n",
            b"n2: up\n",
            b"n3: up\n",
        }
        process.send_signal(signal.SIGINT)
        assert process.wait(WITHIN_S) == -signal.SIGINT
        assert b"n[1-3] ended by SIGINT" in process.stderr.read()
    eventually(lambda: not running(ssi, *command), within_s=WITHIN_S, what="they are ended")

    # Nobody waits for a node that hangs, whether it has begun or is still to begin.
    names, hung = {b"n1: up\n", b"n2: up\n", b"n3: up\n"}, ssi.host("n2")
    for has_begun in (True, False):
        try:
            if not has_begun:
                hung.pause()
            with ssi.start("run", "-n", "all", "--", *command) as process:
                assert process.stdout is not None
                expected = names if has_begun else names - {b"n2: up\n"}
                assert {process.stdout.readline() for _ in expected} == expected
                if has_begun:
                    hung.pause()
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=WITHIN_S)
            assert process.returncode == -signal.SIGINT
            assert b"n2 does not answer" in err, err
            assert b"n[1,3] ended by SIGINT; n2 " in err, err
        finally:
            hung.resume()
        eventually(lambda: ssi("doctor", "n2").status == 0, what="n2 is back")
    eventually(lambda: not running(ssi, *command), within_s=WITHIN_S, what="leases end the rest")

    with ssi.start("run", "-n", "all", "--", "yes") as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().endswith(b": y\n")
        process.stdout.close()
        assert process.wait(WITHIN_S) == 141
        assert process.stderr.read() == b""
    eventually(lambda: not running(ssi, "yes"), within_s=WITHIN_S, what="they are ended")


def test_a_node_that_is_dead_fails_and_the_others_do_not(ssi: Ssi) -> None:
    ssi.host("n3").pause()
    try:
        eventually(
            lambda: ssi.states()["n3"] == "dead", within_s=WITHIN_S, what="n3 is believed dead"
        )
        result = ssi("run", "-n", "all", "--", "hostname")
        assert result.status == 255
        assert sorted(result.out.splitlines()) == ["n1: n1", "n2: n2"]
        assert "ssi: n3 does not answer" in result.err
        assert "n[1-2] ok; n3 failed (node-down)" in result.err
        assert ssi("run", "-n", "n3", "--", "true").status == 255
        assert ssi.ok("nodes", "-o", "name", "@alive").split() == ["n1", "n2"]
    finally:
        ssi.host("n3").resume()
        eventually(lambda: ssi("doctor").status == 0, within_s=WITHIN_S, what="n3 is back for all")


def test_what_commands_print_is_what_the_schema_promises(ssi: Ssi) -> None:
    job = ssi.detached("n1", "sleep", "4323")
    try:
        for kind in ("nodes", "ps", "jobs", "free", "uptime", "events", "mount", "doctor"):
            rows = ssi.json(kind)
            assert rows and breaches(rows, kind) == [], kind
        assert breaches(ssi.json("why", job), "why") == []
        made = ssi.json("checkpoint", job)
        assert breaches(made, "checkpoint") == []
        kept = ssi.json("checkpoints")
        assert made[0]["name"] in {row["name"] for row in kept}
        assert breaches(kept, "checkpoints") == []
        assert breaches(ssi.json("migrate", "--dry-run", job, "n2"), "migrate --dry-run") == []
        moved = ssi.json("migrate", job, "n2")
        assert moved[0]["moved"] and breaches(moved, "migrate") == []
        assert breaches(ssi.json("cordon", "n3"), "cordon") == []
        assert ssi.json("uncordon", "n3") == [{"node": "n3", "cordoned": False}]
        failed = ssi("migrate", "--json", "15999999", "n2")
        assert failed.status == 8
        assert breaches(json.loads(failed.out), "migrate") == []
    finally:
        ssi("kill", "-9", job)


def test_looks_are_streamed_and_the_reader_may_leave(ssi: Ssi) -> None:
    with ssi.start("nodes", "-o", "jsonl", "--watch", "--every", "0.1", "n1") as process:
        assert process.stdout is not None and process.stderr is not None
        looks = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.stdout.close()
        assert process.wait(WITHIN_S) == 141
        assert process.stderr.read() == b""
    assert [look["look"] for look in looks] == [1, 2, 3]
    assert {look["name"] for look in looks} == {"n1"}
