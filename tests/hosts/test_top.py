"""`ssi top` in a real terminal, over real nodes with real processes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest

from tests.hosts.person import Person, person
from tests.hosts.system import Ssi, eventually

AT_TABLE = r"GPID\S* NODE"


@pytest.fixture
def ada(ssi: Ssi) -> Iterator[Person]:
    with person(ssi, "top", columns=130, rows=32) as ada:
        yield ada


@pytest.fixture(autouse=True)
def left_as_found(ssi: Ssi) -> Iterator[None]:
    """No job of a test is left, and every node lives."""
    yield
    for row in ssi.json("jobs"):
        if row["state"] not in {"exited", "lost"}:
            ssi("kill", "-KILL", str(row["gpid"]))


def single_out(someone: Person, gpid: str) -> None:
    """Shows one process only, so that the cursor is on it however long the next key takes."""
    someone.press("F4")
    someone.sees(r"^Filter:")
    someone.keys(f"gpid={gpid}")
    someone.press("Enter")
    someone.sees(rf"filter: gpid={gpid}")
    sees_alone(someone, f"{gpid} n")


def sees_alone(someone: Person, row: str) -> None:
    """Waits until the table has one row, and that is it."""
    someone.sees(rf"{AT_TABLE}.*\n *{row}.*\n(?! *\d)")


def act(someone: Person, key: str, title: str, choice: str) -> None:
    """Opens a list by a key, goes to an entry by its letters, and takes it."""
    someone.keys(key)
    someone.sees(title)
    someone.keys(choice)
    someone.press("Enter")


def see_threads(someone: Person) -> None:
    """Those of an agent: some bear names that zmq gives them, and none is seen before H."""
    someone.press("F4")
    someone.sees(r"^Filter:")
    someone.press("C-u")
    someone.keys("node=n1 ssi-agent")
    someone.press("Enter")
    agent = someone.sees(r"^ *(\d+) n1 .* ssi-agent n1")[1]
    assert "{" not in someone.screen()
    someone.keys("t")
    someone.keys("H")
    thread = r" *\d+ n1 .*\\_ \{"
    someone.sees(rf"^ *{agent} n1 .*\n(?:{thread}.*\n)*{thread}ZMQbg/IO/0\}} ssi-agent n1")
    someone.keys("H")
    eventually(lambda: "{" not in someone.screen(), within_s=60, what="threads are hidden again")


def test_sort_filter_kill_and_leave(ssi: Ssi, ada: Person) -> None:
    sleeper = ssi.detached("n2", "sleep", "4321")
    ada.runs("ssi top")
    ada.sees(AT_TABLE)
    ada.sees(r"^● n1.*")
    ada.keys("M")
    ada.sees(r"MEM%▽")
    ada.keys("N")
    ada.sees(r"GPID△")
    ada.press("F4")
    ada.sees(r"^Filter:")
    ada.keys("node=n2 4321")
    ada.press("Enter")
    ada.sees(r"filter: node=n2 4321")
    sees_alone(ada, f"{sleeper} n2 .*sleep 4321")
    ada.press("F9")
    ada.sees(rf"{sleeper} sleep of root on n2, the whole job")
    ada.press("Enter")
    ada.sees(rf"TERM to {sleeper} \(sleep\) on n2: done")
    eventually(lambda: ssi.job(sleeper)["state"] == "exited", within_s=60, what="it has ended")
    assert ssi.job(sleeper)["exit_status"] == 128 + 15
    see_threads(ada)
    ada.keys("q")
    assert ada.comes_back() == 0


def test_a_running_vim_moves_and_is_joined_on_its_new_node(ssi: Ssi, ada: Person) -> None:
    with person(ssi, "writer", columns=80, rows=24) as writer:
        writer.runs("ssi run -t --lease 600 -n n1 -- vi /root/story")
        writer.sees(r"^~$")
        writer.keys("iOnce upon a time")
        writer.sees(r"^Once upon a time")
        rows = ssi.json("jobs")
        running = [row for row in rows if row["state"] == "running"]
        (gpid,) = (str(row["gpid"]) for row in running if row["args"][0] == "vi")
        ada.runs("ssi top")
        ada.sees(AT_TABLE)
        single_out(ada, gpid)
        ada.keys("F")
        ada.sees("following")
        ada.keys("v")
        ada.sees(r"n3 +[\d.]+ +can move")
        ada.sees(r"n1 +- +no")
        ada.keys("n3")
        ada.press("Enter")
        ada.sees(rf"move {gpid} \(vi\): done: n1 → n3, frozen for \d+ ms")
        ada.sees(rf"^ *{gpid} n3 ")
        assert ssi.job(gpid)["node"] == "n3"
        ada.keys("A")
        ada.sees(r"^Once upon a time")
        ada.press("Enter")
        ada.keys("there was a node")
        ada.sees(r"^there was a node")
        writer.sees(r"^there was a node")
        ada.press("Enter")
        ada.keys("~.")
        ada.sees(rf"back from job {gpid}")
        ada.sees(AT_TABLE)
        ada.press("F10")
        assert ada.comes_back() == 0


def test_on_a_node_commands_start_and_terminals_and_shells_are_lent(ssi: Ssi, ada: Person) -> None:
    there = ssi.host("n1").ssh_command("env", "SSI_COLD=1", "TERM=xterm-256color", "ssi", "top")
    ada.runs(shlex.join([there[0], "-t", "-e", "none", *there[1:]]))
    ada.sees(AT_TABLE)
    ada.keys("r")
    ada.sees(r"^Run ")
    ada.keys("@n2 exec sleep 4322")
    ada.press("Enter")
    gpid = ada.sees(r"run exec sleep 4322: done: job (\d+)")[1]
    assert (ssi.job(gpid)["node"], ssi.job(gpid)["state"]) == ("n2", "running")
    shell = ssi.ok("run", "-d", "-t", "-n", "n3", "--", "sh").strip()
    single_out(ada, shell)
    ada.keys("A")
    ada.sees(r"^#")
    ada.type("echo $((6 * 7)) in $(hostname)")
    ada.sees(r"^42 in n3")
    ada.keys("~.")
    ada.sees(rf"back from job {shell}")
    have_a_shell(ada)
    ada.keys("q")
    assert ada.comes_back() == 0


def have_a_shell(someone: Person) -> None:
    """Goes to the view of nodes and has a shell on the last of them."""
    for title in (r"IO/s", r"MEMORY|no node has a GPU", r"JOB NODE|no job", r"^n3 +alive "):
        someone.press("Tab")
        someone.sees(title)
    someone.press("End")
    someone.keys("s")
    someone.sees(r"n3.*[#$]$")
    someone.type("echo $((6 * 9)) in $(hostname); exit 7")
    someone.sees(r"back from n3, status 7")


def test_a_node_that_dies_under_the_cursor_greys_out_and_comes_back(ssi: Ssi, ada: Person) -> None:
    sleeper = ssi.detached("n3", "sleep", "4321")
    ada.runs("ssi top")
    ada.sees(AT_TABLE)
    single_out(ada, sleeper)
    ssi.host("n3").kill()
    try:
        ada.sees(r"silent: n3")
        ada.sees(rf"^ *{sleeper} n3 \d[\d.]*s")
        act(ada, "k", "Send signal", "kill")
        ada.sees(rf"KILL to {sleeper} \(sleep\) on n3: unknown")
        ada.sees(r"^✗ n3 .*dead")
    finally:
        ssi.host("n3").boot()
    ssi.ok("up", "n3")
    eventually(
        lambda: re.search(r"^● n3", ada.screen(), re.MULTILINE), within_s=60, what="n3 is back"
    )
    ada.keys("q")
    assert ada.comes_back() == 0
