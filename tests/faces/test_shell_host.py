"""The host of a session's bash, with a real bash and no system: lines in, screen and words out."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest

from shell.session.hosting import program
from shell.session.told import Frames, Told, decode_told, frame

PATIENCE_S = 60.0
FOLDER = files("shell.session")


class Bash:
    """A host in a process of its own, and what it says."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.shown = b""
        self._frames = Frames()
        self._waiting: list[tuple[str, bytes]] = []

    def send(self, kind: str, body: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(frame(kind, body))
        self.process.stdin.flush()

    def begin(self, cwd: Path, state: str = "") -> Told:
        resident = FOLDER.joinpath("resident.bash").read_text(encoding="utf-8")
        how = {"resident": resident, "cwd": str(cwd), "environment": {}, "size": "24 80"}
        self.send("B", json.dumps({**how, "state": state, "rc": ""}).encode())
        return decode_told(self.hear("T"))

    def line(self, text: str, status: int = 0) -> Told:
        self.begin_line(text, status)
        return self.end_line()

    def begin_line(self, text: str, status: int = 0) -> None:
        self.shown = b""
        self.send("L", b"%d\0" % status + text.encode())

    def end_line(self) -> Told:
        return decode_told(self.hear("T"))

    def end_line_or_late(self) -> tuple[Told, bytes]:
        """How a line ended; and the keys that came after its end, which are given back."""
        told = self.end_line()
        self.keys(b"!")
        late = b""
        while not late.endswith(b"!"):
            late += self.hear("U")
        return told, late[:-1]

    def keys(self, data: bytes) -> None:
        self.send("K", data)

    def sees(self, what: bytes) -> None:
        give_up_s = time.monotonic() + PATIENCE_S
        while what not in self.shown:
            assert time.monotonic() < give_up_s, self.shown
            self._read()
            self._take_shown()

    def sees_or_ends(self, what: bytes) -> None:
        """Waits until it is shown, or until the line ends without it."""
        give_up_s = time.monotonic() + PATIENCE_S
        while what not in self.shown and not self._waiting:
            assert time.monotonic() < give_up_s, self.shown
            self._read()
            self._take_shown()

    def hear(self, kind: str) -> bytes:
        """The next word of that kind; what is shown before it is added to ``shown``."""
        give_up_s = time.monotonic() + PATIENCE_S
        while True:
            self._take_shown()
            if self._waiting:
                found, body = self._waiting.pop(0)
                assert found == kind, (found, body)
                return body
            assert time.monotonic() < give_up_s, self.shown
            self._read()

    def _take_shown(self) -> None:
        while self._waiting and self._waiting[0][0] == "O":
            self.shown += self._waiting.pop(0)[1]

    def _read(self) -> None:
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        if select.select([descriptor], [], [], 0.5)[0]:
            data = os.read(descriptor, 1 << 20)
            assert data, "the host has ended"
            self._waiting += self._frames.feed(data)


@contextmanager
def hosted(tmp_path: Path) -> Iterator[Bash]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-ISc", program()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        cwd=tmp_path,
    ) as process:
        try:
            yield Bash(process)
        finally:
            process.kill()


@pytest.fixture
def bash(tmp_path: Path) -> Iterator[Bash]:
    with hosted(tmp_path) as made:
        made.begin(tmp_path)
        yield made


def test_each_line_is_as_free_as_one_that_is_typed(bash: Bash) -> None:
    bash.line(
        "declare kept=5; exec 7>file; echo one >&7; shopt -s expand_aliases; alias a='echo A'"
    )
    assert bash.line("a $kept; echo two >&7; cat file; [[ $- == *i* ]]").statuses == (0, 0)
    assert bash.shown == b"A 5\r\none\r\ntwo\r\n"
    assert bash.line("echo $?", status=42).statuses == (0, 0)
    assert bash.shown == b"42\r\n"
    assert bash.line("false | true | (exit 3)").statuses == (3, 1, 0, 3)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("echo ${nothing:?is set}; echo never", 1),
        ('echo "open', 2),
        ("if", 2),
        ("set -u; echo $nothing; echo never", 1),
        ("break 9; echo after", 0),
        ("return 3", 2),
        ("echo a\\", 0),
        ("cat <<E\nopen", 0),
        ("declare -r R=1; R=2; echo never", 1),
    ],
)
def test_no_line_costs_the_bash(bash: Bash, line: str, status: int) -> None:
    told = bash.line(line)
    assert told.statuses[0] in {status, 148 if line.startswith("break") else status}
    assert b"never" not in bash.shown
    bash.line("set +u; echo alive")
    assert bash.shown == b"alive\r\n"


def test_keys_interrupt_and_stop_what_runs_in_it(bash: Bash) -> None:
    for _ in range(20):  # more often than there are further rounds after the first
        bash.begin_line("(echo up; exec sleep 1000)")
        bash.sees(b"up\r\n")
        bash.keys(b"\x1a")
        told = bash.end_line()
        assert told.statuses[0] == 148
        assert "Stopped" in told.jobs
        bash.line("kill -KILL %%; wait %% 2>/dev/null")
    bash.begin_line("echo on; while :; do :; done")
    bash.sees(b"on\r\n")
    bash.keys(b"\x03")
    assert bash.end_line().statuses[0] == 130


def test_what_a_line_has_for_an_interrupt_holds_until_another_says_otherwise(bash: Bash) -> None:
    bash.line("trap 'echo \"caught it\"\n' INT")
    bash.line("set -eE; trap 'echo wrong' ERR; set -C")
    for _ in range(2):
        bash.begin_line("echo up; kill -INT $$; echo on")
        assert bash.end_line().statuses == (0, 0)
        assert b"up\r\ncaught it\r\non\r\n" in bash.shown
        assert b"wrong" not in bash.shown
    bash.line("set +eE +C; trap - ERR; trap '' INT")
    bash.line("kill -INT $$; echo deaf")
    assert b"deaf" in bash.shown
    bash.line("trap - INT")
    bash.line("kill -INT $$; echo never")
    assert b"never" not in bash.shown
    assert bash.line("trap").statuses == (0, 0)
    assert bash.shown == b""


def test_an_interrupt_at_any_moment_costs_a_line_at_most(bash: Bash) -> None:
    """1. a line ends, and its bash tells how; 2. ^C comes in the middle of that, or later while the
    next line is read; 3. a part of either was lost, and the next line never ended. Or it came while
    bash was deaf: who pressed it between two commands of a list waited for the next one.
    """
    for number in range(60):
        bash.begin_line(f"echo {number}")
        if number % 3:
            bash.sees_or_ends(str(number).encode())
        bash.keys(b"\x03")
        told, late = bash.end_line_or_late()
        wanted = ((0, 0), False) if late else ((130, 130), True)
        assert (told.statuses, told.is_broken) == wanted, (told, late)
    for _ in range(60):  # the last ^C may be on its way yet, and flushes what it meets
        if bash.line("echo whole").statuses == (0, 0) and b"whole" in bash.shown:
            return
    raise AssertionError(bash.shown)


def test_keys_that_nothing_read_are_given_back(bash: Bash) -> None:
    bash.begin_line("echo up; read -r key; echo got $key")
    bash.sees(b"up\r\n")
    bash.keys(b"first\rsecond")
    told = bash.end_line()
    assert b"got first\r\n" in bash.shown
    assert told.unread == "second"


def test_tracing_shows_the_line_and_nothing_of_ours(bash: Bash) -> None:
    bash.line("set -x; echo a")
    bash.line("echo b")
    assert b"echo b\r\n" in bash.shown
    bash.line("set +x")
    bash.line("echo c")
    assert bash.shown == b"c\r\n"
    assert b"__ssi" not in bash.shown


def test_a_line_of_any_length_and_what_it_says_arrive(bash: Bash) -> None:
    bash.line(f"x={'a' * 3_000_000}; echo ${{#x}}; printf '\\0\\377\\1'")
    assert bash.shown == b"3000000\r\n\0\xff\1"


def test_what_one_bash_holds_another_begins_with(bash: Bash, tmp_path: Path) -> None:
    held = """export E=$'a\\n\\'b'; declare -A m=([k]='v w'); arr=(1 '2 3'); f() { echo "f$1"; }
    alias l='f 2'; umask 027; shopt -s nullglob; set -o pipefail; unset HOME; declare -i n=4"""
    told = bash.line(held)
    assert told.state is not None
    assert {"f"} <= set(told.functions)
    assert told.aliases["l"] == "f 2"
    assert Path(told.path).read_text(encoding="utf-8") == told.state
    asked = (
        'l; echo "$E|${m[k]}|${arr[1]}|$n|${HOME-gone}"; umask; shopt nullglob; set -o | grep pipef'
    )
    bash.line(asked)
    with hosted(tmp_path) as other:
        other.begin(tmp_path, told.state)
        other.line(asked)
        assert other.shown == bash.shown
        assert other.shown.startswith(b"f2\r\na\r\n'b|v w|2 3|4|gone\r\n0027\r\n")
    unchanged = bash.line("echo nothing new")
    assert unchanged.state is None


def test_questions_disturb_nothing_and_are_given_up_in_time(bash: Bash) -> None:
    bash.line("f() { echo from f; }; x=5")
    bash.begin_line("echo up; read -r key; echo $key")
    bash.sees(b"up\r\n")
    bash.send("Q", b"1\x0030\x00f; echo $x; pwd; cat")
    bash.send("Q", b"2\x000.1\x00sleep 1000")
    answers = {bash.hear("A") for _ in range(2)}
    assert any(each.startswith(b"1\0from f\n5\n") for each in answers)
    assert b"2" in answers
    bash.keys(b"on\r")
    assert bash.end_line().statuses == (0, 0)


def test_its_end_is_told_after_all_that_it_has_shown(bash: Bash) -> None:
    bash.begin_line("trap 'echo bye' EXIT; exit 3")
    assert bash.hear("X") == b"3"
    assert bash.shown == b"exit\r\nbye\r\n" or bash.shown == b"bye\r\n"
    assert bash.process.wait(PATIENCE_S) == 3


def test_a_command_that_is_not_there_is_told_as_bash_tells_it(bash: Bash) -> None:
    assert bash.line("nonexistent-program x").statuses[0] == 127
    assert bash.shown == b"bash: nonexistent-program: command not found\r\n"
    bash.line("ssi() { :; }; command() { shift; echo \"ran: $1 $4 $5\"; }; @n2 echo 'a  b'")
    assert b"ran: run" in bash.shown
