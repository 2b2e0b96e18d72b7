"""A person at a session of the shell: bash on one node, and on all of them."""

from __future__ import annotations

import signal
import time

import pytest

from tests.hosts.shellperson import Ended, ShellPerson, shell_person
from tests.hosts.system import PATIENCE_S, Ssi, eventually
from tests.hosts.typist import HOLDER

HOLD = f"python3 -c '{HOLDER}'"
"""Prints `up` once it has the terminal, and `on` when it is continued."""


PAGER = """
import os, signal, sys, termios, tty
text = sys.stdin.read()
keys = os.open("/dev/tty", os.O_RDWR)
before = termios.tcgetattr(keys)
def shows(what):
    tty.setcbreak(keys)
    os.write(1, what + b" %d\\n" % os.get_terminal_size(keys).columns)
for number, what in ((signal.SIGINT, b"int"), (signal.SIGCONT, b"on"), (signal.SIGWINCH, b"size")):
    signal.signal(number, lambda _number, _frame, what=what: shows(what))
shows(b"up " + text.upper().encode())
while (key := os.read(keys, 1)) != b"q":
    os.write(1, b"<" + key + b">")
termios.tcsetattr(keys, termios.TCSADRAIN, before)
sys.exit(7)
"""
"""Reads a pipe, and then keys, as less does."""


def test_what_bash_holds_carries_from_line_to_line_and_from_node_to_node(ssi: Ssi) -> None:
    with shell_person(ssi, "n1") as person:
        defined = (
            "cd /usr; x='a  b'; export E=e; f() { echo \"f$1 $x\"; }; alias g='f 2'; umask 027"
        )
        assert person.runs(f"{defined}; shopt -s extglob; declare -A m=([k]=v)").status == "0"
        shown = 'f 1; g; echo "$E ${m[k]} $PWD $(umask)"; shopt -q extglob; echo $? $(hostname)'
        told = "f1 a  b\nf2 a  b\ne v /usr 0027\n0 "
        assert person.runs(shown).text == f"{told}n1"
        assert person.runs("@n3").node == "n3"
        assert person.runs(shown).text == f"{told}n3"
        # Programs are jobs, which know the same; so do those of other nodes.
        assert person.runs("bash -c 'echo $E $PWD'").text == "e /usr"
        assert person.runs('@n2 eval f 3 "$x"; hostname').text == "f3 a  b\nn3"
        assert person.runs("for i in 1 2; do @n2 echo $i $x $HOSTNAME; done").text == (
            "1 a b n2\n2 a b n2"
        )
        assert person.runs("@").text == "n3:/usr"
        within = person.runs(
            "cd /tmp; sh -c pwd; cd /var && sh -c pwd | cat && @n2 pwd; @n1; sh -c pwd"
        )
        assert (within.text, within.node) == ("/tmp\n/var\n/var\n/var", "n1"), within
        assert person.runs("cd /usr; @n3; true").node == "n3"
        assert person.runs("exit 7").status == "left 7"


def test_statuses_are_those_of_bash(ssi: Ssi) -> None:
    with shell_person(ssi, "n1") as person:
        for line, statuses in (
            ("false", "1"),
            ("ls /nonexistent", "2"),
            ("nonexistent-program", "127"),
            ("false | true | (exit 3)", "1 0 3"),
            ("sh -c 'exit 4' | cat", "4 0"),
            ("@n2 sh -c 'exit 5'", "5"),
            ("sh -c 'exit 6' | @n2 cat | @n3 sh -c 'cat; exit 7'", "6 0 7"),
            ("yes | @n2 head -c 3 | @n3 wc -c", "141 0 0"),
        ):
            ended = person.runs(line)
            assert ended.statuses == statuses, (line, ended)
            assert person.runs('echo $? "${PIPESTATUS[@]}"').text.startswith(
                statuses.split()[-1] + " " + statuses.split()[0]
            )
        assert person.runs("set -o pipefail; echo").status == "0"
        assert person.runs("@n2 sh -c 'exit 5' | @n3 cat").status == "5"
        assert person.runs("! @n2 false && @n3 hostname || echo never").text == "n3"
        assert person.runs("PIPESTATUS=x; if").status == "2"
        assert "no node is called 'n9'" in person.runs("@n9 true").text
        assert person.runs("echo $?").text == "2"
        goes_on = person.runs(
            "@n9 true || echo or-$?; kill %9; echo then-$?; @n9 true && echo never"
        )
        for told in ("no node is called 'n9'", "or-2", "%9: no such job", "then-1"):
            assert told in goes_on.text, goes_on
        assert (goes_on.status, "never" in goes_on.text) == ("2", False), goes_on
        assert person.runs("set -e; false").status == "left 1"


def test_programs_are_stopped_continued_and_moved_as_jobs(ssi: Ssi) -> None:
    with shell_person(ssi, "n1") as person:
        person.begins(HOLD)
        person.sees(b"up\r\n")
        person.presses(b"\x1a")
        assert person.ends().status == "148"
        assert "[1]+  Stopped                 python3" in person.runs("jobs").text
        gpid = person.runs("jobs -p").text
        assert ssi.job(gpid)["state"] == "stopped"
        moved = person.runs("migrate %1 n3")
        assert "n1 -> n3" in moved.text, moved
        person.begins("fg")
        person.sees(b"on\r\n")
        assert ssi.job(gpid)["node"] == "n3"
        person.presses(b"\x03")
        assert person.ends().status == "130"
        for line in (f"@n2 {HOLD} | cat", f"f() {{ {HOLD}; }}; f"):
            person.begins(line)
            person.sees(b"up\r\n")
            person.presses(b"\x1a")
            assert person.ends().status == "148"
            person.begins("fg")
            person.sees(b"on\r\n")
            person.presses(b"\x03")
            assert person.ends().status == "130", line
        # A job that is left behind is found by the next shell, and elsewhere.
        shown = person.runs(f"{HOLD} &").text.split()
        if "up" not in shown:  # it shows that whenever it comes
            person.sees(b"up\r")
        left = person.runs("jobs -p").text.split()[-1]
    with shell_person(ssi, "n2") as other:
        assert left in other.runs("jobs -a").text
        other.begins(f"fg {left}")
        other.sees(b"on\r\n")
        other.presses(b"\x03")
        assert other.ends().status == "130"
        assert other.runs("sleep 0 & wait; jobs").status == "0"
        # As bash tells of ends: by a signal that came, or by a status that looks like one.
        for kill, told in (("", "Exit 143   "), ("-HUP", "Hangup     "), ("-KILL", "Killed     ")):
            line = f"sleep 300 & kill {kill} %1; wait" if kill else "sh -c 'exit 143' & wait"
            assert f"[1]+  {told}" in other.runs(line).text, kill


def test_an_interrupt_ends_the_whole_line_in_every_phase_of_it(ssi: Ssi) -> None:
    stays = f"python3 -c '{HOLDER}'; echo NEVER"
    with shell_person(ssi, "n1") as person:
        for line in (
            stays,
            f"@n2 {stays}",
            f"python3 -c '{HOLDER}' || echo NEVER",
            f"@n1 true | @n2 python3 -c '{HOLDER}' | @n3 cat; echo NEVER",
            f"f() {{ {stays}; }}; f; /bin/echo NEVER",
            f"f() {{ @n2 {stays}; }}; f; /bin/echo NEVER",
            f"for i in 1 2; do @n2 {stays}; done; /bin/echo NEVER",
            f"while :; do {stays}; done",
            f"sleep 0 | {stays}",
            "echo up; read x; /bin/echo NEVER",
        ):
            person.begins(line)
            person.sees(b"up\r\n")
            time.sleep(0.1)  # nobody is quicker
            person.presses(b"\x03")
            ended = person.ends()
            assert (ended.status, "NEVER" in ended.text) == ("130", False), (line, ended)
        # A program that makes 130 of it by itself was not ended by it, and the line goes on.
        person.begins(
            "python3 -c 'import signal, sys\nsignal.signal(2, lambda *_: sys.exit(130))\n"
            'print("up", flush=True)\nsignal.pause()\'; echo after=$?'
        )
        person.sees(b"up\r\n")
        person.presses(b"\x03")
        assert "after=130" in person.ends().text
        person.begins("sleep 4343 & echo u''p; wait; echo NEVER")
        person.sees(b"up\r\n")
        person.presses_between_programs(b"\x03")
        ended = person.ends()
        assert (ended.status, "NEVER" in ended.text) == ("130", False), ended
        assert person.runs("kill %1; wait").status == "0"
    eventually(lambda: ssi("ps", "sleep 4343").status == 1, what="nothing is left of it")


def test_keys_that_are_signals_reach_a_job_that_is_still_being_started(ssi: Ssi) -> None:
    # It may be stopped before it is up or after it, and a terminal drops what it showed before ^Z.
    holds = HOLD.replace('b"on', 'b"up')
    with shell_person(ssi, "n1") as person:
        for key, status, line in (
            (b"\x1a", "148", f"@n2 {holds}"),
            (b"\x1a", "148", f"@n2 {holds} | @n1 cat"),
            (b"\x1c", "131", f"@n2 {holds}"),
        ):
            ended = pressed_while_it_starts(ssi, person, key, line)
            assert ended.status == status, (line, ended)
            if status == "148":
                assert "[1]+  Stopped                 @n2 python3" in person.runs("jobs").text
                person.begins("fg")
                person.sees(b"up\r\n")
                person.presses(b"\x03")
                assert person.ends().status == "130", line


AWAY = ("does not answer", "did not answer", "cannot be reached")


def pressed_while_it_starts(ssi: Ssi, person: ShellPerson, key: bytes, line: str) -> Ended:
    """How a line ends of which the job is started on a node that hangs while a key is pressed."""
    while True:
        ssi.host("n2").pause()
        try:
            person.begins(f"echo u''p; {line}")
            person.sees(b"up\r\n")
            person.presses_while_a_job_starts(key)
        finally:
            ssi.host("n2").resume()
        ended = person.ends()
        if not any(words in ended.text for words in AWAY):
            return ended
        eventually(lambda: set(ssi.states().values()) == {"alive"}, what="n2 is back")


def test_the_last_stage_of_a_pipeline_over_nodes_has_the_terminal(ssi: Ssi) -> None:
    with shell_person(ssi, "n1") as person:
        person.begins(f"@n1 printf abc | @n2 python3 -c '{PAGER}'")
        person.sees(b"up ABC ")
        person.presses(b"x")
        person.sees(b"<x>")
        person.presses(b"\x03")
        person.sees(b"int ")
        person.presses(b"\x1a")
        assert person.ends().status == "148"
        assert "[1]+  Stopped                 @n1 printf abc" in person.runs("jobs").text
        last = person.runs("jobs -p").text
        eventually(lambda: ssi.job(last)["state"] == "stopped", what="the last stage is stopped")
        refused = person.runs("migrate %1 n3")
        assert "its stdin comes from another job" in refused.text
        assert refused.status != "0"
        person.resizes(40, 91)
        person.begins("fg")
        person.sees(b"size 91\r\n")
        person.presses(b"yq")
        ended = person.ends()
        assert "<y>" in ended.text
        assert ended.statuses == "0 7"
        # Where nothing takes keys one by one, they are lines for the first stage, as ever.
        person.begins("@n2 cat | @n3 sh -c 'echo up; tr a-z A-Z; test -t 1; exec ls /dev/tty'")
        person.sees(b"up\r\n")
        person.presses(b"typed\n\x04")
        ended = person.ends()
        assert "TYPED\n/dev/tty" in ended.text
        assert ended.statuses == "0 0"
        # What is typed before a stage has the terminal, while that still gives single keys.
        person.presses_at_a_prompt(b"too sonn\x7f\x7fon\rand ")
        person.begins("@n2 cat | @n3 tr a-z A-Z")
        person.sees(b"TOO SOON\r\n")
        person.presses(b"then\n\x04")
        ended = person.ends()
        assert "AND THEN" in ended.text
        assert ended.statuses == "0 0"
        person.begins("@n2 cat | @n3 sh -c 'echo up; tr a-z A-Z'")
        person.sees(b"up\r\n")
        person.presses(b"before\n")
        person.sees(b"BEFORE\r\n")
        person.presses(b"\x1a")
        assert person.ends().status == "148"
        person.begins("fg")
        person.sees(b"tr a-z A-Z'")
        person.presses(b"after\n\x04")
        ended = person.ends()
        assert "AFTER" in ended.text
        assert ended.statuses == "0 0"


@pytest.mark.parametrize("size", [10_000_000])
def test_whatever_bytes_a_line_has_or_shows_arrive(ssi: Ssi, size: int) -> None:
    with shell_person(ssi, "n1") as person:
        assert person.runs(f"x={'a' * size}; echo ${{#x}}").text == str(size)
        assert person.runs('echo "$x" | @n2 wc -c; unset x').text == str(size + 1)
        name = "$'/tmp/ssi hostile \\n\\t\\e\"\\'\\\\$(x)'"
        assert (
            person.runs(f"echo kept >{name}; @n2 echo -; cat {name}; rm {name}").text == "-\nkept"
        )
        shown = person.runs("printf '\\0\\377\\200\\033[0m\\1end'; @n3 printf '\\0\\377'").text
        assert shown == "\0\ufffd\ufffd\x1b[0m\1end\0\ufffd"
        assert person.runs("printf 'kept\\n' >n3:/tmp/ssi-there; @n3 cat /tmp/ssi-there").text == (
            "kept"
        )
        assert person.runs("kill -KILL $$").status == "255"
        assert person.runs("echo ${x-gone} $(hostname)").text == "gone n1"


def test_scripts_are_run_as_bash_runs_them(ssi: Ssi) -> None:
    script = b'x=5; for i in "$@"; do @n3 echo $i $x; done; false | @n2 true; exit ${PIPESTATUS[0]}'
    told = ssi("--node", "n2", "-s", "a", "b", stdin=script)
    assert (told.out, told.status) == ("a 5\nb 5\n", 1), told
    ended = ssi(
        "--node", "n1", "-c", "trap 'echo bye' EXIT; set -eu; hostname; echo $1; $2", "0", "x"
    )
    assert (ended.out, ended.status) == ("n1\nx\nbye\n", 1), ended
    # What a script calls its variables is its own affair.
    named = "where=a kind=b words=c text=d; f() { @n3 eval 'echo $where $kind $words $text'; }; f"
    assert ssi("--node", "n2", "-c", named).out == "a b c d\n"
    # On a node, too, the words within a loop are expanded where they run.
    loop = 'for i in 1 2; do @n2 echo $i "$HOSTNAME" | cat; done'
    told_there = ssi.host("n1").run("ssi", "-c", loop, timeout_s=120.0).stdout
    assert told_there == b"1 n2\n2 n2\n"


def test_an_interrupt_ends_a_script_as_it_ends_what_that_runs_elsewhere(ssi: Ssi) -> None:
    waits = "@n3 perl -e '$| = 1; print \"up\\n\"; sleep 4344'"
    for script in (
        f"{waits}; echo NEVER",
        f"f() {{ {waits}; echo NEVER; }}; for i in 1 2; do f; echo NEVER; done; echo NEVER",
    ):
        with ssi.start("--node", "n2", "-c", script) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE_S)
        assert (out, process.returncode) == (b"", -signal.SIGINT), (script, err)
    eventually(lambda: ssi("ps", "sleep 4344").status == 1, what="nothing is left of it")


def test_a_node_that_dies_costs_a_stage_or_a_bash_and_never_the_prompt(ssi: Ssi) -> None:
    with shell_person(ssi, "n1") as first, shell_person(ssi, "n3") as second:
        second.runs("cd /usr; z=kept")
        second.begins(HOLD)
        second.sees(b"up\r\n")
        first.begins("@n1 yes | @n3 sh -c 'echo up >&2; cat' | @n2 wc -c")
        first.sees(b"up")
        ssi.host("n3").kill()
        try:
            piped, alone = first.ends(), second.ends()
            assert "stage 2 (n3) is lost" in piped.text
            assert piped.statuses.split()[1] == "255"
            assert "n3" in alone.text
            assert alone.status == "255"
            assert alone.node in {"n1", "n2"}
            assert second.runs("echo $z $PWD $(hostname)").text == f"kept /usr {alone.node}"
            told = second.runs("jobs -a")
            assert "ssi: no answer from n3: what runs there is not shown" in told.text
            assert told.status == "0"
        finally:
            ssi.host("n3").boot()
            ssi.ok("up", "n3")
            eventually(lambda: ssi.states()["n3"] == "alive", what="n3 is back")
