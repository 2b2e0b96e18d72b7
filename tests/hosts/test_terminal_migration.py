"""Jobs with a terminal that move while keys are typed: no key and no byte of output goes astray."""

from __future__ import annotations

import base64
import fcntl
import os
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread

import pytest

from nodeagent.shim import messages as m
from ssi.lab import Lab
from ssi.model.job import Terminal
from tests.hosts.pair import Pair, pair_on
from tests.hosts.shim_client import ENVIRONMENT, ROOT, ShimClient
from tests.hosts.system import PATIENCE_S, Ssi, eventually
from tests.hosts.test_migration import running
from tests.hosts.test_shim_migration import ADA, GO

SIZE = Terminal(rows=24, columns=80)
BASH = ("bash", "--norc", "-i")

HOLDER = """
import os, signal, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGCONT, lambda *_: os.write(1, b"on\\n"))
os.write(1, b"up\\n")
while True:
    time.sleep(0.05)
"""
"""Keeps the terminal until a key ends it. The child of an interactive shell has the terminal before
it is executed and before it is continued, which the echo of the line does not prove: that comes
while keys are still the shell's own. And it has no children: dash, stopped while it starts one by
vfork(2), is never seen to stop."""

HOLD = b'python3 -c "$HOLDER"'

SHELL = {**ENVIRONMENT, "PS1": "$ ", "HISTFILE": "", "HOLDER": HOLDER}

RAW = """
import os, sys, termios, tty
tty.setraw(0)
print("raw", end="", flush=True)
while (key := os.read(0, 1)) != b"q":
    os.write(1, b"<" + key + b">")
"""

AWAIT_GO = f"""
import os, time
while not os.path.exists("{GO}"): time.sleep(0.01)
"""

BUSY_RAW = RAW.replace("while (", AWAIT_GO + "while (")

LATE = f"""
import sys
print("asleep", flush=True)
{AWAIT_GO}
for line in sys.stdin:
    print("got", repr(line), flush=True)
print("end")
"""


@dataclass
class Typist:
    """A user at the terminal of a job, who has seen everything up to a byte of its output."""

    pair: Pair
    shim: ShimClient
    typed: int = 0
    seen: int = 0
    moves: int = 0

    def start(self, *argv: str, account: m.Account = ROOT, term: str = "dumb") -> None:
        self.shim.start(*argv, account=account, environment={**SHELL, "TERM": term}, terminal=SIZE)

    def type(self, keys: bytes) -> None:
        deadline = time.monotonic() + PATIENCE_S
        wanted = self.typed + len(keys)
        while self.typed < wanted:
            assert time.monotonic() < deadline
            accepted = self.shim.write(keys[self.typed - wanted :], self.typed, wait_s=1)
            self.typed = accepted.offset

    def see(self, what: bytes) -> bytes:
        """What is shown from where the user looked last, up to and with ``what``."""
        shown = self.shim.read_until(what, offset=self.seen)
        shown = shown[: shown.index(what) + len(what)]
        self.seen += len(shown)
        return shown

    def see_rest(self) -> bytes:
        return self.shim.read_all(offset=self.seen)

    def run(self, line: str, until: bytes) -> bytes:
        """What a shell answers to a line, without its echo."""
        self.type(line.encode() + b"\r")
        self.see(line.encode() + b"\r\n")
        return self.see(until)

    def hold(self) -> None:
        """Runs a command in the foreground; what is typed next is the command's."""
        self.type(HOLD + b"\r")
        self.see(b"up\r\n")

    def let_go(self) -> None:
        """What waits goes on, wherever it is."""
        for host in (self.pair.here, self.pair.there):
            host.outside(GO).touch()

    def made_bytes(self) -> int:
        """How much the job has written so far that its shim has taken."""
        return self.shim.read(offset=1 << 30, wait_s=0, peek=True).offset

    def resize(self, rows: int, columns: int) -> None:
        self.shim.ask(m.Resize(terminal=Terminal(rows=rows, columns=columns)), m.Ok)

    def move(self, times: int = 1) -> None:
        for _ in range(times):
            self.shim = self.pair.move(self.shim, back=self.moves % 2 == 1)
            self.moves += 1


@pytest.fixture(scope="module")
def pair(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair_on(lab, tmp_path_factory.mktemp("wheels")) as pair:
        yield pair


@pytest.fixture
def user(pair: Pair) -> Typist:
    for host in (pair.here, pair.there):
        host.outside(GO).unlink(missing_ok=True)
    return Typist(pair, pair.here.shim())


def test_shell_keeps_its_children_its_jobs_and_its_keys(user: Typist) -> None:
    user.start(*BASH)
    user.see(b"$ ")
    user.hold()
    user.type(b"\x1a")
    assert b"Stopped" in user.see(b"$ ")
    user.move(2)
    assert b"Stopped" in user.run("jobs", b"$ ")
    user.type(b"fg\r")
    user.see(HOLD + b"\r\non\r\n")
    user.move(3)
    user.type(b"\x03")
    user.see(b"$ ")
    assert user.run("echo status $?", b"$ ") == b"status 130\r\n$ "
    user.type(b"exit 7\r")
    user.see_rest()
    assert user.shim.status(PATIENCE_S).exit_status == 7


def test_nested_shell_keeps_its_job_control(user: Typist) -> None:
    user.start(*BASH)
    user.see(b"$ ")
    user.run("bash --norc -i", b"$ ")
    user.move(2)
    user.hold()
    user.type(b"\x1a")
    assert b"Stopped" in user.see(b"$ ")
    assert b"Stopped" in user.run("jobs", b"$ ")
    user.run("kill -9 %1; wait %1", b"$ ")
    user.type(b"exit\r")
    user.see(b"$ ")
    user.type(b"exit 4\r")
    user.see_rest()
    assert user.shim.status(PATIENCE_S).exit_status == 4


def test_window_size_travels_and_can_be_changed_after(user: Typist) -> None:
    user.start(*BASH)
    user.see(b"$ ")
    user.resize(31, 97)
    user.move()
    assert user.run("stty size", b"$ ") == b"31 97\r\n$ "
    user.type(b"trap 'echo WINCH; stty size' WINCH\r")
    user.see(b"WINCH\r\n$ ")
    user.resize(40, 100)
    assert b"40 100" in user.see(b"40 100\r\n")
    user.move()
    user.type(b"\r")
    user.see(b"$ ")
    user.resize(41, 101)
    assert b"41 101" in user.see(b"41 101\r\n")


def test_keys_that_are_typed_while_it_moves_arrive_once_and_in_order(user: Typist) -> None:
    user.start("python3", "-c", RAW)
    user.see(b"raw")
    keys = "".join(f"{number:04d}\r" for number in range(400)).encode()
    step = len(keys) // 8
    for turn in range(8):
        user.type(keys[turn * step : (turn + 1) * step])
        user.move()
    user.type(b"q")
    expected = b"".join(b"<%c>" % key for key in keys)
    assert user.see_rest() == expected


def test_lines_pasted_beyond_what_a_terminal_holds_arrive_whole(user: Typist) -> None:
    user.start("sh", "-c", 'stty -echo; exec python3 -c "$0"', LATE)
    user.see(b"asleep\r\n")
    user.type(b"".join(b"line %05d\r" % number for number in range(1000)))
    user.move(2)
    user.type(b"\x04")
    user.let_go()
    lines = "".join(f"got 'line {number:05d}\\n'\r\n" for number in range(1000))
    assert user.see_rest().decode() == lines + "end\r\n"


def test_paste_into_a_raw_program_that_is_busy_arrives_whole(user: Typist) -> None:
    user.start("python3", "-c", BUSY_RAW)
    user.see(b"raw")
    keys = b"".join(b"%05d " % number for number in range(2000))
    user.type(keys)
    user.move(2)
    user.let_go()
    user.type(b"q")
    assert user.see_rest() == b"".join(b"<%c>" % key for key in keys)


def test_lines_half_a_line_and_an_end_typed_ahead_are_read_as_typed(user: Typist) -> None:
    user.start("python3", "-c", LATE)
    user.see(b"asleep\r\n")
    user.type(b"one\rtwo\x16\x03\r\x16\x04lit\rhal")
    user.move(2)
    user.type(b"X\x7ff\r\x04")
    echo = b"one\r\ntwo^\x08^C\r\n^\x08^Dlit\r\nhalX\x08 \x08f\r\n"
    assert user.see(b"f\r\n") == echo
    user.let_go()
    assert user.see_rest().decode().split("\r\n") == [
        "got 'one\\n'",
        "got 'two\\x03\\n'",
        "got '\\x04lit\\n'",
        "got 'half\\n'",
        "end",
        "",
    ]


def test_end_of_file_typed_ahead_ends_it(user: Typist) -> None:
    user.start("python3", "-c", LATE)
    user.see(b"asleep\r\n")
    user.type(b"last\r\x04")
    user.move()
    user.let_go()
    assert user.see_rest().endswith(b"got 'last\\n'\r\nend\r\n")


def test_output_that_nobody_read_yet_is_shown_once(user: Typist) -> None:
    user.start("sh", "-c", "seq 1 300000; read x; echo end $x")
    eventually(lambda: user.made_bytes() > 1000, what="some of it waits to be read")
    user.move(2)
    user.type(b"now\r")
    shown = user.see_rest().replace(b"now\r\n", b"", 1)
    assert shown == "".join(f"{n}\r\n" for n in range(1, 300001)).encode() + b"end now\r\n"


def test_output_held_by_the_user_stays_held(user: Typist) -> None:
    user.start("sh", "-c", "while :; do echo tick; sleep 0.01; done")
    user.see(b"tick")
    user.type(b"\x13")
    user.move()
    eventually(lambda: stands_still(user), what="nothing more to be shown")
    held = user.made_bytes()
    user.type(b"\x11")
    user.seen = held
    user.see(b"tick")


def stands_still(user: Typist) -> bool:
    """Whether nothing came in a while in which much would have."""
    before = user.made_bytes()
    time.sleep(0.5)
    return user.made_bytes() == before


def test_python_at_its_prompt_keeps_what_it_knows(user: Typist) -> None:
    user.start("python3", "-q", term="xterm")
    user.see(b">>> ")
    user.type(b"import time; x = 41\r")
    user.see(b">>> ")
    user.type(b"x + ")
    user.move(2)
    user.type(b"1\r")
    user.see(b"42\r\n")
    # Short naps: Python forgets an interrupt that comes just before it blocks.
    user.type(b"print('nap', 'ping'); any(time.sleep(.01) for _ in iter(int, 1))\r")
    user.see(b"nap ping\r\n")
    user.move()
    user.type(b"\x03")
    user.see(b"KeyboardInterrupt")
    user.see(b">>> ")
    user.type(b"exit()\r")
    user.see_rest()
    assert user.shim.status(PATIENCE_S).exit_status == 0


def test_pager_goes_on_where_it_was(user: Typist) -> None:
    user.start("bash", "--norc", "-c", "seq 1 2000 | less", term="xterm")
    user.see(b":")
    user.type(b"100g")
    user.see(b"122")  # the last line of the page; less shows what is typed, too
    user.move(2)
    user.type(b"1500g")
    user.see(b"1522")
    user.type(b"q")
    user.see_rest()
    assert user.shim.status(PATIENCE_S).exit_status == 0


def test_terminal_of_an_ordinary_user_moves(user: Typist) -> None:
    user.start(*BASH, account=ADA)
    user.see(b"$ ")
    user.hold()
    user.move(2)
    user.type(b"\x03")
    user.see(b"$ ")
    assert user.run("stat -c %U $(tty); id -un", b"$ ") == b"ada\r\nada\r\n$ "


def test_thawed_shell_is_as_before_with_its_typeahead(user: Typist) -> None:
    user.start(*BASH)
    user.see(b"$ ")
    user.type(f"sh -c 'echo up; until [ -e {GO} ]; do sleep 0.05; done'\r".encode())
    user.see(b"up\r\n")
    user.type(b"echo ahe")
    images = user.pair.here.folder("images")
    user.shim.dump(images)
    user.shim.thaw()
    user.type(b"ad\r")
    shown = user.see(b"echo ahead\r\n")
    user.let_go()
    shown += user.see(b"\nahead\r\n$ ")
    assert shown.count(b"ahead") == 3, "echoed twice, by terminal and shell"
    user.hold()
    user.shim.dump(images)
    user.shim.thaw()
    user.type(b"\x1a")
    assert b"Stopped" in user.see(b"$ ")


def test_committed_shell_comes_back_from_its_images_at_home(user: Typist) -> None:
    user.start(*BASH)
    user.see(b"$ ")
    user.hold()
    user.shim.dump(user.pair.here.folder("images"))
    user.shim.commit()
    assert user.shim.restore_here().stage == "running"
    user.type(b"\x03")
    user.see(b"$ ")
    assert user.run("stty size; tty", b"$ ") == b"24 80\r\n/dev/pts/0\r\n$ "
    user.move(2)
    assert user.run("echo here", b"$ ") == b"here\r\n$ "


def test_keys_reach_a_shells_child_once_while_it_goes_round_three_nodes(ssi: Ssi) -> None:
    with screen_of(ssi, "n1", "bash", "--norc", "-i") as screen:
        gpid = running(ssi, "bash")
        screen.type(b"stty sane; python3 -c 'import base64, sys; ")
        screen.type(b"exec(base64.b64decode(sys.argv[1]))' ")
        screen.type(base64.b64encode(RAW.encode()) + b"; stty sane\r")
        screen.see(b"raw")
        typist = Thread(target=type_numbers, args=(screen, 600))
        typist.start()
        for destination in ("n2", "n3", "n1", "n3"):
            ssi.ok("migrate", gpid, destination)
        typist.join(PATIENCE_S)
        screen.type(b"q")
        expected = b"".join(b"<%c>" % key for number in range(600) for key in b"%05d" % number)
        assert screen.see(expected[-15:]) == expected
        screen.resize(40, 100)
        eventually(lambda: screen.answer(b"stty size") == b"40 100", what="its size")
        screen.type(b"sh -c 'echo up; exec sleep 1000'\r")
        screen.see(b"up\r\n")
        ssi.ok("migrate", gpid, "n2")
        screen.type(b"\x03")
        assert screen.answer(b"echo $?") == b"130"
        screen.type(b"exit 3\r")
        assert screen.client.wait(PATIENCE_S) == 3


def test_vim_in_insert_mode_goes_along_with_its_text(ssi: Ssi) -> None:
    for host in ssi.lab.hosts:
        host.run("rm", "-f", "/tmp/novel", "/tmp/.novel.swp")
    with screen_of(ssi, "n1", "vi", "/tmp/novel") as screen:
        gpid = running(ssi, "vi")
        screen.see(b"novel")
        screen.type(b"i")
        typist = Thread(target=type_numbers, args=(screen, 300, b"\r"))
        typist.start()
        for destination in ("n2", "n3", "n1", "n2"):
            ssi.ok("migrate", gpid, destination)
        typist.join(PATIENCE_S)
        screen.type(b"\x1b:wq\r")
        assert screen.client.wait(PATIENCE_S) == 0
    text = ssi.host("n2").run("cat", "/tmp/novel").stdout
    assert text == b"".join(b"%05d\n" % number for number in range(300)) + b"\n"


@dataclass
class Screen:
    """The terminal of a user whose ``ssi run`` holds a job."""

    descriptor: int
    client: subprocess.Popen[bytes]
    unseen: bytes = b""

    def type(self, keys: bytes) -> None:
        os.write(self.descriptor, keys)

    def see(self, what: bytes, within_s: float = PATIENCE_S) -> bytes:
        """What is shown up to and with ``what``."""
        deadline = time.monotonic() + within_s
        while what not in self.unseen:
            left_s = deadline - time.monotonic()
            ready = select.select([self.descriptor], [], [], max(0, left_s))[0]
            assert ready, (what, self.unseen[-2000:])
            self.unseen += os.read(self.descriptor, 65536)
        end = self.unseen.index(what) + len(what)
        shown, self.unseen = self.unseen[:end], self.unseen[end:]
        return shown

    def answer(self, line: bytes) -> bytes:
        """What a shell answers to a line, in one line."""
        self.type(b"printf '<%%s>' \"$(%s)\"\r" % line)
        self.see(b"\r<")
        return self.see(b">")[:-1]

    def resize(self, rows: int, columns: int) -> None:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, size)


@contextmanager
def screen_of(ssi: Ssi, node: str, *argv: str) -> Iterator[Screen]:
    """A user's terminal with an interactive job on a node."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    # A session of its own with this terminal, as a login has.
    client = subprocess.Popen(
        ["setsid", "--ctty", *ssi.words("run", "-t", "-n", node, "--", *argv)],
        env={**ssi.environment, "TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    try:
        yield Screen(master, client)
    finally:
        client.kill()
        client.wait()
        os.close(master)


def type_numbers(screen: Screen, count: int, after: bytes = b"") -> None:
    """Types numbers of five digits, one every few milliseconds."""
    for number in range(count):
        screen.type(b"%05d" % number + after)
        time.sleep(0.004)
