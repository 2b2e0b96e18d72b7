"""What is on the screen of ``ssi run`` moves from node to node while keys are typed."""

from __future__ import annotations

import base64
from threading import Thread

from tests.hosts.moving import running
from tests.hosts.screen import screen_of, screen_with, type_numbers
from tests.hosts.system import PATIENCE_S, Ssi, eventually
from tests.hosts.typist import RAW


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


def test_copies_of_a_shell_each_have_a_terminal_of_their_own(ssi: Ssi) -> None:
    with screen_of(ssi, "n1", "bash", "--norc", "-i") as screen:
        screen.see(b"# ")
        gpid = running(ssi, "bash")
        screen.type(b"known=42\r")
        assert screen.answer(b"echo $known") == b"42"
        screen.type(b"echo half")
        screen.see(b"echo half")
        clone = ssi.ok("clone", gpid, "-n", "n2").split()[0]
        ssi.ok("checkpoint", gpid, "--name", "typed")
        restored = ssi.ok("restore", "typed", "--new", "-n", "n3").split()[0]
        screen.type(b" one\r")
        screen.see(b"\rhalf one\r\n")
        for copy, node in ((clone, b"n2"), (restored, b"n3")):
            with screen_with(ssi, "attach", copy) as other:
                other.see(b"echo half")  # typed before, and shown again
                other.type(b" two\r")
                other.see(b"\rhalf two\r\n")
                assert other.answer(b"echo $known $(uname -n)") == b"42 " + node
                other.type(b"exit 3\r")
                assert other.client.wait(PATIENCE_S) == 3
        assert screen.answer(b"echo $known $(uname -n)") == b"42 n1"
        screen.type(b"exit 4\r")
        assert screen.client.wait(PATIENCE_S) == 4
    ssi.ok("checkpoints", "rm", "typed")
