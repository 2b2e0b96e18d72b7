"""The prompt of the shell in a real terminal, over a session on a real node."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from tests.hosts.person import Person, person
from tests.hosts.system import Ssi, eventually

TOOK = r"(?:\d\S* )*"
"""How long the line took, which a prompt tells from two seconds on."""

HERE = rf"^n1 ~ {TOOK}# "
"""The prompt of somebody at home on n1 after whom nothing went wrong."""

PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "shell.svg"
"""`pytest tests/hosts/test_shell_prompt.py -k picture --pictures` takes it anew."""


@contextmanager
def at_the_prompt(ssi: Ssi, name: str) -> Iterator[Person]:
    """A person whose terminal shows the shell on n1."""
    with person(ssi, name) as someone:
        # A busy machine is late: that nothing is offered then is a matter of other tests.
        someone.type("export SSI_COMPLETION_SECONDS=30; cd; clear; ssi --node n1; echo left=$?")
        someone.sees(HERE)
        yield someone


@pytest.fixture
def ada(ssi: Ssi) -> Iterator[Person]:
    with at_the_prompt(ssi, "ada") as ada:
        yield ada


def test_a_prompt_tells_how_lines_ended_and_takes_rows_and_pastes(ada: Person) -> None:
    ada.type("printf abc")
    ada.sees(r"^abc\u23ce\s*\n" + HERE)
    ada.type("sh -c 'kill -9 $$'")
    ada.sees(rf"^n1 ~ ✗ 137 \(KILL\) {TOOK}# ")
    ada.type("if true")
    ada.sees(r"^ +>$")
    ada.type("then echo done$((40+2)); fi")
    ada.sees(r"^done42\s*\n" + HERE)
    ada.keys("\x1b[200~echo one$((1+1))\necho two$((1+1))\n\x1b[201~")
    ada.press("Enter")
    ada.sees(r"^2 lines, pasted: Enter runs them")
    ada.press("Enter")
    ada.sees(r"^one2\s*\ntwo2\s*\n" + HERE)
    ada.keys("rm -rf")
    ada.press("C-c")
    ada.sees(rf"^n1 ~ ✗ 130 \(INT\) {TOOK}# ")
    ada.type("exit 3")
    ada.sees(r"^left=3")


def test_what_is_typed_while_a_program_runs_is_the_next_line(ssi: Ssi, ada: Person) -> None:
    # A job, then bash itself. Each round has words of its own: those of the first are still seen.
    for number, waits in enumerate(("sh -c 'echo up1; {}'", "echo up2; {}"), 1):
        line = waits.format(f"until [ -e /tmp/go{number} ]; do sleep 0.1; done")
        ada.type(line)
        ada.sees(rf"^up{number}\s*$")
        ada.type(f"echo ahead$((40+{number}))")
        ada.keys(f"echo half{number}")
        # In its terminal, unread.
        ada.sees(rf"^echo ahead.*{number}\)\)\s*\necho half{number}\s*$")
        ssi.host("n1").run("touch", f"/tmp/go{number}")
        ada.sees(rf"^ahead4{number}\s*\n" + HERE + f"echo half{number}")
        ada.keys("way")
        ada.press("Enter")
        ada.sees(rf"^half{number}way\s*\n" + HERE)
    ssi.host("n1").run("rm", "/tmp/go1", "/tmp/go2")


def test_words_are_completed_on_the_node_where_they_will_be(ssi: Ssi, ada: Person) -> None:
    ada.type("mkdir -p '/tmp/prompt here' && cd /tmp")
    ada.sees(rf"^n1 /tmp {TOOK}# ")
    ada.keys("cat 'prompt h")
    ada.press("Tab")
    ada.sees(r"# cat 'prompt here/")
    ada.press("C-u")
    ada.keys("@n2 cat /etc/hostna")
    ada.press("Tab")
    ada.sees(r"# @n2 cat /etc/hostname ")
    ada.press("Enter")
    ada.sees(r"^n2\s*\n")
    eventually(lambda: len(_resident_on(ssi, "n2")) == 1, what="a bash stays on n2")
    for word, whole in (("machine-i", "machine-id"), ("os-relea", "os-release")):  # no suggestion
        ada.keys(f"@n2 cat /etc/{word}")
        ada.press("Tab")
        ada.sees(f"# @n2 cat /etc/{whole}")
        ada.press("C-u")
    assert len(_resident_on(ssi, "n2")) == 1
    ada.keys("@n")
    ada.press("Tab")
    ada.sees(r"n3 +node")
    ada.press("C-c")
    ada.sees(rf"^n1 /tmp ✗ 130 \(INT\) {TOOK}# ")
    ada.keys("ps --fores")
    ada.press("Tab")
    ada.sees(r"# ps --forest ")
    ada.press("C-u")
    ada.type("rmdir '/tmp/prompt here'; exit")
    ada.sees(r"^left=0")
    # The bash that answered on n2 has ended with the session.
    eventually(lambda: not _resident_on(ssi, "n2"), what="nothing of the shell is left on n2")


def test_two_shells_share_a_history_and_one_is_warned_before_one_leaves(
    ssi: Ssi, ada: Person
) -> None:
    with at_the_prompt(ssi, "bob") as bob:
        bob.type("echo from-bob")
        bob.sees(r"^from-bob\s*\n" + HERE)
        ada.type("true")
        ada.sees(HERE + r"true[^\n]*\n" + HERE)
        ada.keys("echo fr")
        ada.sees(HERE + "echo from-bob")  # as a suggestion
        ada.press("Up")
        ada.press("Enter")
        ada.sees(r"^from-bob\s*\n" + HERE)
        bob.type("set -o vi")
        bob.sees(HERE + r"set -o vi[^\n]*\n" + HERE)
        bob.type("sh -c 'echo up; exec cat'")
        bob.sees(r"^up\s*$")  # it has the terminal
        bob.type("read")
        bob.sees(r"^read\s*\nread\s*$")
        bob.press("C-z")
        bob.sees(rf"^n1 ~ 1 job ✗ 148 \(TSTP\) {TOOK}# ")
        bob.press("C-d")
        bob.sees(
            r"^jobs are stopped: %1 sh -c 'echo up; exec cat'; \^D again leaves, and they stay"
        )
        bob.type("kill -9 %1")
        bob.sees(r"# kill -9 %1[^\n]*\n(.*\n)*?n1 ~ .*# ")
        bob.type("exit")
        bob.sees(r"^left=\d+")
    ada.press("C-d")
    ada.sees(r"^left=0")


def test_the_picture_is_what_the_shell_shows(ada: Person, request: pytest.FixtureRequest) -> None:
    ada.press("C-l")
    ada.type("@{n1..n3} uname -sr")
    ada.sees(r"^n\[1-3\] \(3\)\n-+\nLinux [^\n]*\n(ssi: [^\n]*\n)?n1 ~ .*# ")
    ada.type("seq 1000000 | @n2 wc -l")
    ada.sees(r"^1000000\s*\nn1 ~ .*# ")
    ada.type("@n2 sleep 300 &")
    ada.sees(r"^n1 ~ 1 job .*# ")
    ada.type("migrate %1 n3")
    ada.sees(r"n2 -> n3: [^\n]*\nn1 ~ 1 job .*# ")
    ada.type("@n3 sh -c 'kill -9 $$'")
    ada.sees(r"^n1 ~ 1 job ✗ 137 \(KILL\) .*# ")
    ada.keys("migrate %1 ")
    ada.sees(r"# migrate %1 n3")  # as a suggestion
    ada.press("C-u")
    ada.keys("@n")
    ada.press("Tab")
    ada.sees(r"^ +n2 +node\s*\n +n3 +node")
    svg = _drawn(ada.painted())
    ada.press("C-c")
    ada.type("kill %1; exit")
    ada.sees(r"^left=\d+")
    if request.config.getoption("--pictures"):
        PICTURE.write_text(svg, encoding="utf-8")
    kept = PICTURE.read_text(encoding="utf-8")
    for text in ("n[1-3]", "1000000", "migrate", "(KILL)"):
        assert text in svg, text
        assert text in kept, f"{text}: take the picture anew"


def _resident_on(ssi: Ssi, node: str) -> list[object]:
    """The jobs there that serve sessions of the shell."""
    rows = ssi.json("jobs")
    return [row for row in rows if row["node"] == node and row["command"].endswith(" ssi-shell")]


def _drawn(painted: str) -> str:
    """A screen as SVG."""
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(painted.rstrip()), soft_wrap=False)
    return console.export_svg(title="ssi", unique_id="shell")
