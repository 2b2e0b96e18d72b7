"""How commands end: statuses, and what stderr says."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from ssi.cli.main import COMMANDS, LOCAL, carry_out, load_command, tree
from ssi.cli.outcome import ended, note, run_async
from ssi.cli.settings import add_settings
from ssi.client.connection import Connection
from ssi.client.system import System
from ssi.model.errors import SsiError
from ssi.protocol.refusals import NodeDown
from tests.unit.cli.fake_system import FakeConnection


def run(*words: str) -> int:
    return ended(lambda: carry_out(tree(), words))


def fail(error: BaseException) -> int:
    def broken() -> None:
        raise error

    return ended(broken)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("psx", "no such command 'psx'; did you mean 'ps'? [usage]"),
        ("nodse", "no such command 'nodse'; did you mean 'nodes'? [usage]"),
        ("zzz", "no such command 'zzz'; `ssi --help` tells how [usage]"),
        ("ps --jsn", "no such option: --jsn; did you mean --jobs, --json? [usage]"),
        ("nodes --every x", "invalid value for '--every': 'x' is not a valid float"),
        ("nodes --json -o yaml", "--json and -o yaml are opposites; give one of them [usage]"),
        ("clone 15000001 -o noon", "-o: there is no format 'noon'; formats: table, wide, "),
        ("nodes --sort nonsense", "--sort: there is no column 'nonsense'"),
        (
            "uptime n1",
            "got unexpected extra argument(s) (n1); `ssi uptime --help` tells how [usage]",
        ),
        ("kill", "missing argument '[-SIGNAL] GPID...'; `ssi kill --help` tells how [usage]"),
    ],
)
def test_a_command_line_that_cannot_be_understood_is_2_in_one_line(
    line: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*line.split()) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"ssi: {told}")
    assert shown.err.count("\n") == 1


def test_no_command_at_all_shows_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    assert "Commands:" in capsys.readouterr().err


def test_what_nobody_foresaw_is_one_line_and_a_traceback_only_for_who_asks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert fail(KeyError("x")) == 70
    err = capsys.readouterr().err
    assert "broke: KeyError: 'x'; " in err
    assert err.endswith("[bug]\n")
    assert err.count("\n") == 1

    def debugged() -> None:
        add_settings(quiet=False, debug=True, colour=None, timeout_s=None)
        raise KeyError("x")

    assert ended(debugged) == 70
    assert "Traceback (most recent call last):" in capsys.readouterr().err


def test_an_error_has_its_own_code_also_in_a_group() -> None:
    down: SsiError = NodeDown(node="n1", silent_s=1.0)
    assert fail(down) == fail(ExceptionGroup("tasks", [down])) == 4
    assert fail(KeyboardInterrupt()) == -signal.SIGINT


def test_quiet_holds_notes_back_and_no_errors(capsys: pytest.CaptureFixture[str]) -> None:
    def quiet() -> None:
        add_settings(quiet=True, debug=False, colour=None, timeout_s=None)
        note("this is going well")
        raise NodeDown(node="n1", silent_s=1.0)

    ended(quiet)
    err = capsys.readouterr().err
    assert "going well" not in err
    assert "n1 does not answer" in err


@pytest.mark.parametrize(
    ("environment", "words", "is_coloured"),
    [
        ({}, [], False),
        ({"FORCE_COLOR": "1"}, [], True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, [], False),
        ({"NO_COLOR": "1"}, ["--color", "always"], True),
        ({"FORCE_COLOR": "1"}, ["--color", "never"], False),
    ],
)
def test_colours_are_chosen_by_the_option_then_by_the_environment(
    environment: dict[str, str],
    words: list[str],
    is_coloured: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert run(*words, "nodes", "--sort", "nonsense") == 2
    assert ("\x1b[31m" in capsys.readouterr().err) is is_coloured


def test_a_closed_pipe_is_silent() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "ssi.cli", "--help"],
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


UNWRITTEN = "ssi: the output cannot be written: "


@pytest.mark.parametrize(
    ("redirection", "status", "told"),
    [
        (">&-", 1, f"{UNWRITTEN}Bad file descriptor; "),
        (">/dev/full", 1, f"{UNWRITTEN}No space left on device; "),
        ("2>&-", 0, ""),
        ("<&-", 0, ""),
    ],
)
@pytest.mark.parametrize("words", ["explain usage", "explain -o json", "explain --help"])
def test_a_descriptor_that_is_closed_or_full_is_told_in_one_line(
    words: str, redirection: str, status: int, told: str
) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m ssi.cli {words} {redirection}', sys.executable],
        capture_output=True,
        text=True,
        env={**os.environ, "SSI_COLD": "1"},
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr[: len(told)]) == (status, told)
    assert done.stderr.count("\n") == status
    assert bool(done.stdout) == (status == 0)


def test_a_socket_never_gets_the_number_of_a_closed_descriptor() -> None:
    program = "from ssi.cli.descriptors import fill_closed; fill_closed(); import socket; "
    program += "print(socket.socket().fileno(), repr(open(0).read()), file=open('/dev/stderr','w'))"
    done = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" <&- >&-', sys.executable, program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr.split() == ["3", "''"]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_is_plain_text_of_one_form(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(name, "--help") == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("Usage: ")
    assert shown.out.isascii()
    assert shown.err == ""


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_takes_the_options_that_all_take(name: str) -> None:
    options = {option for each in load_command(name).params for option in each.opts}
    if "commands" not in dir(load_command(name)):
        assert {"--quiet", "--debug", "--color"} <= options
        assert ("--timeout" in options) == (name not in LOCAL)


@pytest.mark.parametrize(
    "name",
    ["nodes", "events", "ps", "free", "uptime", "jobs", "why", "checkpoints", "mount", "doctor"],
)
def test_every_command_that_shows_rows_takes_the_options_of_rows(name: str) -> None:
    options = {option for each in load_command(name).params for option in each.opts}
    wanted = {"--output", "-o", "--json", "--no-headers", "--sort", "--watch", "--every"}
    assert wanted | {"--timeout"} <= options


@pytest.mark.parametrize("name", ["up", "down"])
def test_deployments_can_be_told_to_programs(name: str) -> None:
    options = {option for each in load_command(name).params for option in each.opts}
    assert {"--output", "-o", "--json"} <= options


@pytest.mark.parametrize(
    "name",
    [
        *("migrate", "drain", "cordon", "uncordon", "adopt", "restore", "clone"),
        *("wait", "run", "stop", "cont", "kill", "freeze", "thaw", "disown"),
    ],
)
def test_every_command_that_tells_of_a_deed_can_tell_it_to_programs(name: str) -> None:
    options = {option for each in load_command(name).params for option in each.opts}
    assert {"--output", "-o", "--json", "--timeout"} <= options


def test_checkpoint_has_json_and_names_what_it_makes_by_o() -> None:
    named = {option for each in load_command("checkpoint").params for option in each.opts}
    assert {"--name", "-o", "--json", "--timeout"} <= named and "--output" not in named


@pytest.mark.parametrize("failure", [None, NodeDown(node="n1", silent_s=12.0)])
def test_what_nobody_waits_for_is_begun_before_the_end_is_told_and_settled_after_it(
    failure: SsiError | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []

    async def connect() -> FakeConnection:
        return FakeConnection()

    async def letting_go() -> None:
        seen.append("begun")
        await asyncio.sleep(0)
        seen.append("settled")
        if failure is not None:
            raise failure

    async def body(system: System) -> int:
        system.later(letting_go())
        return 3

    monkeypatch.setattr(Connection, "open", connect)
    monkeypatch.setattr("ssi.cli.outcome.tell_end", lambda status: seen.append(f"told {status}"))
    assert ended(lambda: run_async(body, runs=True)) == 3
    assert seen == ["begun", "told 3", "settled"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("runs", "told"), [(True, ["told 3"]), (False, [])])
def test_end_of_what_runs_a_program_is_told_before_this_process_clears_up(
    monkeypatch: pytest.MonkeyPatch, *, runs: bool, told: list[str]
) -> None:
    seen: list[str] = []

    async def connect() -> FakeConnection:
        return FakeConnection()

    async def body(_system: System) -> int:
        return 3

    monkeypatch.setattr(Connection, "open", connect)
    monkeypatch.setattr("ssi.cli.outcome.tell_end", lambda status: seen.append(f"told {status}"))
    assert ended(lambda: run_async(body, runs=runs)) == 3
    assert seen == told


def test_the_end_of_a_command_that_fails_is_not_told_before_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []

    async def connect() -> FakeConnection:
        return FakeConnection()

    async def letting_go() -> None:
        seen.append("settled")

    async def body(system: System) -> int:
        system.later(letting_go())
        raise NodeDown(node="n1", silent_s=12.0)

    monkeypatch.setattr(Connection, "open", connect)
    monkeypatch.setattr("ssi.cli.outcome.tell_end", lambda status: seen.append(f"told {status}"))
    assert ended(lambda: run_async(body, runs=True)) == 255
    assert seen == ["settled"]
    assert "n1" in capsys.readouterr().err
