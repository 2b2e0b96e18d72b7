"""Commands on nodes: their bytes, their ends, their users."""

from __future__ import annotations

import hashlib
import random
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

from tests.hosts.system import COMMAND_TIMEOUT_S, PATIENCE_S, Ssi, eventually


def test_stdout_stderr_and_exit_status_come_apart(ssi: Ssi) -> None:
    result = ssi("run", "-n", "n2", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (result.status, result.out, result.err) == (7, "out\n", "err\n")


def test_a_command_runs_on_the_node_that_was_named(ssi: Ssi) -> None:
    assert [ssi.ok("run", "-n", n, "--", "uname", "-n").strip() for n in ("n1", "n2", "n3")] == [
        "n1",
        "n2",
        "n3",
    ]


def test_without_a_node_it_runs_on_one_that_lives(ssi: Ssi) -> None:
    assert ssi.ok("run", "--", "uname", "-n").strip() in {"n1", "n2", "n3"}


def test_a_signal_that_ends_it_is_128_plus_its_number(ssi: Ssi) -> None:
    assert ssi("run", "-n", "n1", "--", "sh", "-c", "kill -KILL $$").status == 137
    # It dies of a SIGINT only where that came to itself.
    for nodes in ("n1", "n1,n2"):
        assert ssi("run", "-n", nodes, "--", "sh", "-c", "kill -INT $$").status == 130


def test_100_mb_go_in_and_out_intact_with_bounded_memory(ssi: Ssi, tmp_path: Path) -> None:
    data = random.Random(7).randbytes(100_000_000)
    source, result = tmp_path / "in", tmp_path / "out"
    source.write_bytes(data)
    with source.open("rb") as stdin, result.open("wb") as stdout:
        command = subprocess.Popen(
            ssi.words("run", "-n", "n3", "--", "cat"),
            env=ssi.environment,
            stdin=stdin,
            stdout=stdout,
        )
        peak_kib = 0
        while command.poll() is None:
            peak_kib = max(peak_kib, _rss_kib(ssi, "n3"))
            time.sleep(0.05)
    assert command.returncode == 0
    assert hashlib.sha256(result.read_bytes()).digest() == hashlib.sha256(data).digest()
    assert 0 < peak_kib < 90_000, "the agent or a shim of n3 held the bytes in memory"


def test_a_reader_that_leaves_ends_the_command_silently(ssi: Ssi) -> None:
    with ssi.start("run", "-n", "n1", "--", "yes") as command:
        assert command.stdout is not None and command.stderr is not None
        assert command.stdout.read(4) == b"y\ny\n"
        command.stdout.close()
        assert command.wait(timeout=PATIENCE_S) == 128 + signal.SIGPIPE
        assert command.stderr.read() == b""
        eventually(
            lambda: not [row for row in ssi.json("ps", "-n", "n1") if row["command"] == "yes"],
            what="yes ends",
        )


def test_interrupt_reaches_the_command(ssi: Ssi) -> None:
    script = "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.05; done"
    with ssi.start("run", "-n", "n2", "--", "sh", "-c", script) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == b"ready\n"
        command.send_signal(signal.SIGINT)
        assert command.stdout.readline() == b"caught\n"
        assert command.wait(timeout=PATIENCE_S) == 5


def test_environment_and_directory_are_as_asked(ssi: Ssi) -> None:
    script = 'echo "$GREETING"; pwd'
    out = ssi.ok(
        "run",
        "-n",
        "n1",
        "--env",
        "GREETING=good day",
        "--cwd",
        "/usr/lib",
        "--",
        "sh",
        "-c",
        script,
    )
    assert out == "good day\n/usr/lib\n"


def test_a_directory_that_is_not_there_is_refused(ssi: Ssi) -> None:
    result = ssi("run", "-n", "n1", "--cwd", "/no/such", "--", "true")
    assert result.status == 126
    assert "/no/such" in result.err and result.err.count("\n") == 1


def test_a_command_that_is_not_there_is_127(ssi: Ssi) -> None:
    result = ssi("run", "-n", "n1", "--", "no-such-command")
    assert result.status == 127
    assert result.err == (
        "ssi: no-such-command: command not found; "
        "it is looked up in PATH on the node where it is to run [command-not-found]\n"
    )


def test_an_unknown_node_is_named_with_those_that_are(ssi: Ssi) -> None:
    result = ssi("run", "-n", "n7", "--", "true")
    assert result.status == 2
    assert "'n7'" in result.err and "n[1-3]" in result.err


def test_a_detached_job_keeps_its_output_from_the_first_byte(ssi: Ssi) -> None:
    gpid = ssi.detached("n2", "sh", "-c", "echo first; echo oops >&2; sleep 0.3; echo last; exit 3")
    assert ssi("wait", gpid).status == 3
    logs = ssi("logs", gpid)
    assert (logs.out, logs.err) == ("first\nlast\n", "oops\n")
    row = ssi.job(gpid)
    assert (row["state"], row["exit_status"], row["node"]) == ("exited", 3, "n2")


def test_logs_follow_a_job_to_its_end(ssi: Ssi) -> None:
    gpid = ssi.detached("n1", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done")
    assert ssi.ok("logs", "-f", gpid) == "1\n2\n3\n"


def test_logs_are_bounded_and_say_so(ssi: Ssi) -> None:
    gpid = ssi.detached("n1", "sh", "-c", "head -c 20000000 /dev/zero | tr '\\0' x")
    assert ssi("wait", gpid).status == 0
    out = ssi.ok("logs", gpid)
    assert 16 * 1024 * 1024 <= len(out) < 17 * 1024 * 1024
    assert set(out[: 16 * 1024 * 1024 - 4096]) == {"x"}
    assert re.search(r"16 MiB|16777216|truncated", out[-300:]), out[-300:]


def test_waiting_gives_up_when_told_to(ssi: Ssi) -> None:
    gpid = ssi.detached("n1", "sleep", "600")
    assert ssi("wait", "--timeout", "0.5", gpid).status == 124
    ssi.ok("kill", gpid)
    assert ssi("wait", gpid).status == 143


def test_a_job_whose_client_was_killed_is_attached_and_goes_on_to_its_end(ssi: Ssi) -> None:
    # It does not end before somebody is there again, however late that is.
    wait = "until [ -e /tmp/attached ]; do sleep 0.05; done"
    count = "for i in $(seq 40); do echo $i; sleep 0.05; [ $i != 30 ] ||"
    script = f"{count} {wait}; done; rm /tmp/attached; exit 9"
    with ssi.start("run", "-n", "n3", "--", "sh", "-c", script) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"1\n"
        rows = [row for row in ssi.json("jobs") if row["args"] == ["sh", "-c", script]]
        (gpid,) = [str(row["gpid"]) for row in rows if row["state"] == "running"]
        first.kill()
    with ssi.start("attach", gpid) as attached:
        assert attached.stdout is not None
        shown = attached.stdout.readline()
        ssi.host("n3").run("touch", "/tmp/attached")
        shown += attached.stdout.read()
        assert attached.wait(PATIENCE_S) == 9
    numbers = [int(line) for line in shown.split()]
    assert numbers == list(range(numbers[0], 41)), "none is lost of those that were not shown"
    gone = ssi("attach", gpid)
    assert gone.status == 255, "a foreground job that was released is gone"
    assert "[no-such-process]" in gone.err


def test_a_user_runs_as_themselves_from_any_node(ssi: Ssi) -> None:
    run = ssi.host("n1").run(
        "ssi", "run", "-n", "n2", "--", "sh", "-c", "id -un; id -u; echo $HOME", user="ada"
    )
    assert run.stdout.decode().split() == ["ada", "1000", "/home/ada"], run


def test_a_user_sees_no_arguments_of_others(ssi: Ssi) -> None:
    gpid = ssi.detached("n2", "sh", "-c", "sleep 50; echo my-secret-argument")
    rows = ssi.host("n1").run("ssi", "ps", "--json", "-n", "n2", user="ada").stdout.decode()
    assert gpid in rows
    assert "my-secret-argument" not in rows
    assert "my-secret-argument" in ssi.ok("ps", "--json", "-n", "n2")
    ssi.ok("kill", gpid)


def test_a_user_cannot_touch_what_is_not_theirs(ssi: Ssi) -> None:
    gpid = ssi.detached("n2", "sleep", "50")
    host = ssi.host("n1")
    agent = str(20000000 + _agent_pid(ssi, "n2"))
    for words in (
        ("kill", gpid),
        ("kill", agent),
        ("logs", gpid),
        ("wait", gpid),
        ("migrate", gpid, "n3"),
    ):
        run = host.run("ssi", *words, user="ada")
        # What runs a program, or waits for one, has another status for what is not the program's.
        assert run.returncode == (255 if words[0] == "wait" else 7), (words, run)
        assert b"ada may not" in run.stderr and b"[not-permitted]" in run.stderr, (words, run)
    assert ssi.job(gpid)["state"] == "running"
    ssi.ok("kill", gpid)


def test_of_a_file_no_more_is_read_than_its_jobs_have_read(ssi: Ssi, tmp_path: Path) -> None:
    """Where ssh needs -n, or reads all that was meant for the lines to come."""
    (tmp_path / "nodes").write_text("n1\nn2\nn3\n")
    command = shlex.join(ssi.words("run"))
    for line, shown in (
        (f"while read n; do {command} -n $n -- uname -n; done", "n1\nn2\nn3\n"),
        (f"{command} -n n2 -- sh -c 'read x; echo got $x'; cat", "got n1\nn2\nn3\n"),
        (f"{command} -n n2 -- cat; echo on; cat", "n1\nn2\nn3\non\n"),
    ):
        with (tmp_path / "nodes").open() as nodes:
            done = subprocess.run(
                ["bash", "-c", line],
                stdin=nodes,
                env=ssi.environment,
                capture_output=True,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
            )
        assert (done.stdout.decode(), done.stderr) == (shown, b""), line
    script = "while read n; do @n2 echo to $n; done"
    there = f"printf 'n1\\nn2\\nn3\\n' >/tmp/nodes; ssi -c '{script}' </tmp/nodes"
    run = ssi.host("n1").run("sh", "-c", there, timeout_s=COMMAND_TIMEOUT_S)
    assert (run.stdout, run.stderr) == (b"to n1\nto n2\nto n3\n", b"")


def test_a_user_without_an_account_is_refused(ssi: Ssi) -> None:
    host = ssi.host("n1")
    host.run("useradd", "-m", "bob")
    run = host.enter("su", "bob", "-c", "ssi run -n n2 -- true")
    assert run.returncode == 255, run
    assert b"n2 has no account for user bob" in run.stderr


def _agent_pid(ssi: Ssi, node: str) -> int:
    return int(Path(ssi.host(node).root, "run/ssi/agent.pid").read_text().split()[0])


def _rss_kib(ssi: Ssi, node: str) -> int:
    """The largest resident set of the agent and the shims of a node."""
    pids = ssi.host(node).enter("sh", "-c", "cat /proc/[0-9]*/status 2>/dev/null; true")
    sizes = re.findall(rb"Name:\t(?:python3|ssi-\w+)\n(?:.*\n)*?VmRSS:\s+(\d+) kB", pids.stdout)
    return max((int(size) for size in sizes), default=0)
