"""Jobs at a person's terminal: keys, screens, windows, viewers who come and go."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts.person import Person, person
from tests.hosts.striking import stopped
from tests.hosts.system import COMMAND_TIMEOUT_S, Ssi, eventually
from tests.hosts.typist import HOLDER

SHELL = "bash --norc -i"
READY = r"^bash-[\d.]+[$#]"
AT_END = r"[ \n]*\Z"
"""Of a pattern: nothing is shown below. A prompt at the end is one that waits for keys: what is
typed before is a matter of the terminal, where a rubout rubs out, and of what ran until then."""


@pytest.fixture
def ada(ssi: Ssi) -> Iterator[Person]:
    with person(ssi, "ada") as ada:
        yield ada


@pytest.fixture
def bob(ssi: Ssi) -> Iterator[Person]:
    with person(ssi, "bob", columns=70, rows=20) as bob:
        yield bob


def at_a_shell(someone: Person, node: str = "n2", options: str = "") -> None:
    """The person runs a shell on a node."""
    someone.runs(f"ssi run -n {node} {options} -- {SHELL}")
    someone.sees(READY)


def running(ssi: Ssi) -> str:
    """The gpid of the foreground job that was started last."""

    def found() -> list[str]:
        return [
            str(row["gpid"])
            for row in ssi.json("jobs")
            if row["state"] == "running" and not row["detached"]
        ]

    eventually(found, what="the job runs")
    return found()[-1]


def test_a_job_on_a_terminal_has_one_of_the_same_size_name_and_language(
    ssi: Ssi, ada: Person
) -> None:
    ada.runs("TERM=xterm LC_TIME=C.UTF-8 ssi run -n n2 -- sh -c 'stty size; echo $TERM $LC_TIME'")
    ada.sees(r"^30 100\nxterm C.UTF-8$")
    assert ada.comes_back() == 0


def test_pipes_are_given_where_they_are_asked_for(ssi: Ssi, ada: Person) -> None:
    ada.runs("ssi run -T -n n2 -- sh -c 'test -t 0; exit $((40 + $?))'")
    assert ada.comes_back() == 41


def test_keys_that_are_signals_and_job_control_reach_the_shell(ssi: Ssi, ada: Person) -> None:
    at_a_shell(ada)
    # What is pressed before the command has the terminal is a key of the shell's own editor: each
    # command says first that it runs.
    ssi.host("n2").run("sh", "-c", "cat > /tmp/holder", input=HOLDER.encode())
    ada.type("python3 /tmp/holder")
    ada.sees(r"^up$")
    ada.press("C-z")
    ada.sees(r"^\[1\].*Stopped .*\n" + READY + AT_END)
    ada.type("fg")
    ada.sees(r"^on$")
    ada.press("C-c")
    ada.sees(READY + AT_END)
    ada.type("echo interrupted=$?")
    ada.sees(r"^interrupted=130\n" + READY + AT_END)
    ada.type("ulimit -c 0; sh -c 'echo asleep; exec sleep 100'")
    ada.sees(r"^asleep$")
    ada.press("C-\\")
    ada.sees(READY + AT_END)
    ada.type("echo quit=$?")
    ada.sees(r"^quit=131\n" + READY + AT_END)
    ada.type("echo reading; cat; exit 7")
    ada.sees(r"^reading$")
    ada.press("C-d")
    assert ada.comes_back() == 7


def test_the_window_is_followed(ssi: Ssi, ada: Person) -> None:
    script = 'trap "stty size" WINCH; trap "exit 3" INT; echo ready; while :; do sleep 0.1; done'
    ada.runs(f"ssi run -n n2 -- sh -c {shlex.quote(script)}")
    ada.sees(r"^ready$")
    ada.resize(90, 25)
    ada.sees(r"^25 90$")
    ada.press("C-c")
    assert ada.comes_back() == 3


@pytest.mark.parametrize(
    ("program", "shows", "quit_keys"),
    [
        ("vi /etc/passwd", r"^root:x:0", ("Escape", ":q", "Enter")),
        ("nano /etc/passwd", r"GNU nano", ("C-x",)),
        ("less /etc/passwd", r"^root:x:0", ("q",)),
        ("htop", r"Load average", ("q",)),
        ("python3 -q", r"^>>>", ("exit()", "Enter")),
        ("tmux", r"^\[0\]", ("exit", "Enter")),
    ],
)
def test_programs_of_the_whole_screen_work_and_leave_the_terminal_as_it_was(
    ssi: Ssi, ada: Person, program: str, shows: str, quit_keys: tuple[str, ...]
) -> None:
    ada.runs(f"ssi run -n n2 -- {program}")
    ada.sees(shows)
    ada.press(*quit_keys)
    assert ada.comes_back() == 0


def test_a_repl_edits_and_remembers_lines(ssi: Ssi, ada: Person) -> None:
    ada.runs("ssi run -n n3 -- python3 -q")
    ada.sees(r"^>>>" + AT_END)
    ada.type("6 * 7")
    ada.sees(r"^42\n>>>" + AT_END)
    ada.press("Up", "BSpace")
    ada.type("8")
    ada.sees(r"^48\n>>>" + AT_END)
    ada.press("C-d")
    assert ada.comes_back() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_client_that_is_told_to_end_puts_the_terminal_back(
    ssi: Ssi, ada: Person, number: signal.Signals
) -> None:
    ada.runs("ssi run -n n2 -- vi /etc/passwd")
    ada.sees(r"^root:x:0")
    gpid = running(ssi)
    os.kill(client_of(ssi, "vi"), number)
    assert ada.comes_back() == 128 + number
    assert "root:x:0" not in ada.screen(), "still on the other screen"
    ssi.ok("kill", "-KILL", gpid)


def client_of(ssi: Ssi, command: str) -> int:
    """The pid of the ``ssi run`` of this system on this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            settings = (path / "environ").read_bytes()
        except OSError:
            continue
        mine = f"SSI_CONFIG_DIR={ssi.config}".encode() in settings
        if mine and b"run" in words and command.encode() in words:
            found.append(int(path.name))
    (pid,) = found
    return pid


def test_escapes_are_listed_and_one_leaves(ssi: Ssi, ada: Person) -> None:
    at_a_shell(ada, options="--lease 5")
    gpid = running(ssi)
    ada.keys("~?")
    ada.sees(r"~\.  leave")
    ada.type("~~")
    ada.sees(r"/root: Is a directory")
    ada.keys("~.")
    assert ada.comes_back() == 255
    eventually(lambda: ssi.job(gpid)["state"] != "running", what="SIGHUP ends it")


def test_a_disowned_job_goes_on_and_is_attached_from_another_node(
    ssi: Ssi, ada: Person, bob: Person
) -> None:
    at_a_shell(ada, options="--lease 5")
    gpid = running(ssi)
    ada.type("echo before-I-left")
    ada.sees(r"^before-I-left$")
    ada.keys("~d")
    assert ada.comes_back() == 0
    time.sleep(6)  # its lease is over, but for that
    bob.runs(f"ssi lab ssh n3 --name {ssi.lab.name}")
    bob.sees(r"n3:~#")
    bob.type(f"clear; ssi attach {gpid}")
    bob.sees(r"^before-I-left$")
    bob.type("stty size; exit 5")
    bob.sees(r"^20 70$")
    bob.sees(r"n3:~#")
    bob.type("exit $?")
    assert bob.comes_back() == 5
    assert ssi.job(gpid)["exit_status"] == 5


def test_two_viewers_type_in_turns_and_the_window_is_the_last_ones(
    ssi: Ssi, ada: Person, bob: Person
) -> None:
    at_a_shell(ada)
    bob.runs(f"ssi attach {running(ssi)}")
    bob.sees(READY)
    bob.type("echo from-bob; stty size")
    ada.sees(r"^from-bob\n20 70$")
    ada.type("echo from-ada; stty size")
    bob.sees(r"^from-ada\n30 100$")
    for turn in range(5):
        (ada if turn % 2 else bob).type(f"echo turn={turn}.")
        for someone in (ada, bob):
            someone.sees(rf"^turn={turn}\.$")
    bob.type("exit 3")
    assert (ada.comes_back(), bob.comes_back()) == (3, 3)


def test_a_newcomer_sees_a_full_screen_program_whole(ssi: Ssi, ada: Person, bob: Person) -> None:
    ada.runs("ssi run -n n1 -- less /etc/passwd")
    ada.sees(r"^root:x:0")
    bob.runs(f"ssi attach {running(ssi)}")
    bob.sees(r"\Aroot:x:0")
    bob.press("q")
    assert (ada.comes_back(), bob.comes_back()) == (0, 0)


def test_who_only_looks_cannot_type_and_leaves_by_interrupt(
    ssi: Ssi, ada: Person, bob: Person
) -> None:
    at_a_shell(ada)
    bob.runs(f"ssi attach --read-only {running(ssi)}")
    bob.sees(READY)
    bob.type("echo from-bob")
    ada.type("echo from-ada; stty size")
    bob.sees(r"^from-ada\n30 100$")
    assert "from-bob" not in bob.screen()
    bob.press("C-c")
    assert bob.comes_back() == 255
    ada.type("exit")
    assert ada.comes_back() == 0


def test_without_a_viewer_a_job_never_waits_for_its_output(
    ssi: Ssi, ada: Person, bob: Person
) -> None:
    script = (
        "echo ready; read x; i=0; "
        "while [ $i -lt 40000 ]; do i=$((i+1)); echo line-$i-of-many; done; read y"
    )
    ada.runs(f"ssi run -n n2 -- sh -c '{script}'")
    ada.sees(r"^ready$")
    gpid = running(ssi)
    ada.keys("\r~d")
    assert ada.comes_back() == 0
    bob.runs(f"ssi attach {gpid}")
    bob.sees(r"^line-40000-of-many$")
    bob.press("Enter")
    assert bob.comes_back() == 0


def test_no_key_and_no_output_is_lost_while_the_link_is_cut(ssi: Ssi, ada: Person) -> None:
    at_a_shell(ada)
    host = ssi.host("n2")
    ada.type("for i in $(seq 60); do echo n$i; sleep 0.1; done | paste -sd, ")
    host.cut()
    try:
        ada.type("echo typed-meanwhile")
        time.sleep(5)
    finally:
        host.heal()
    ada.sees(r"^typed-meanwhile$")
    shown = ada.screen().replace("\n", "")
    assert ",".join(f"n{i}" for i in range(1, 61)) in shown
    assert ada.screen().splitlines().count("typed-meanwhile") == 1
    ada.type("exit")
    assert ada.comes_back() == 0


def test_a_key_and_its_echo_need_no_agent(ssi: Ssi, ada: Person) -> None:
    at_a_shell(ada)
    typed = ""

    def is_echoed() -> bool:
        nonlocal typed
        typed += "x"
        with stopped(ssi, "n2"):  # for so short that nobody minds
            ada.keys("x")
            time.sleep(0.5)
            return ada.screen().rstrip().endswith(typed)

    eventually(is_echoed, within_s=60, what="keys go by a channel")
    ada.press("C-u", "Enter")
    ada.keys("~?")
    ada.sees(r"^keys go straight to the job$")
    ada.type("exit")
    assert ada.comes_back() == 0


def test_a_client_that_was_killed_leaves_a_job_that_ends_after_its_lease(
    ssi: Ssi, ada: Person
) -> None:
    at_a_shell(ada, options="--lease 5")
    gpid = running(ssi)
    os.kill(client_of(ssi, "bash"), signal.SIGKILL)
    eventually(lambda: ssi.job(gpid)["state"] != "running", what="its lease ends")


def test_a_terminal_can_be_had_without_one(ssi: Ssi) -> None:
    run = subprocess.run(
        ssi.words("run", "-t", "-n", "n1", "--", "sh", "-c", "tty; cat"),
        env=ssi.environment,
        input=b"typed\n",
        capture_output=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    # The echo may come before what the command says.
    assert (run.returncode, sorted(run.stdout.split(b"\r\n"))) == (
        0,
        [b"", b"/dev/pts/0", b"typed", b"typed"],
    )
