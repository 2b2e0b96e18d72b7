"""Jobs with a terminal that move while keys are typed: no key and no byte of output goes astray."""

from __future__ import annotations

import time

import pytest

from tests.hosts.pair import GO, Pair
from tests.hosts.shim_client import ADA
from tests.hosts.system import PATIENCE_S, eventually
from tests.hosts.typist import AWAIT_GO, HOLD, RAW, Typist

BASH = ("bash", "--norc", "-i")

BUSY_RAW = RAW.replace("while (", AWAIT_GO + "while (")

LATE = f"""
import sys
print("asleep", flush=True)
{AWAIT_GO}
for line in sys.stdin:
    print("got", repr(line), flush=True)
print("end")
"""


@pytest.fixture
def user(pair: Pair) -> Typist:
    pair.hold_back()
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
    user.type(b"fg\r")
    user.see(b"on\r\n")
    user.type(b"\x03")
    user.see(b"$ ")
    assert user.run("jobs; echo none", b"$ ") == b"none\r\n$ "
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
