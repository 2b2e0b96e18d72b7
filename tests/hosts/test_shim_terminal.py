"""What a shim makes of a job's terminal: its size, its modes, its keys."""

from __future__ import annotations

import time

from nodeagent.shim.messages import Ok as ShimOk
from nodeagent.shim.streammessages import (
    Resize,
)
from ssi.model.job import Terminal
from tests.hosts.shim_client import ShimClient
from tests.hosts.system import PATIENCE_S, eventually


def test_terminal_has_its_size_before_the_command_starts(shim: ShimClient) -> None:
    shim.start(
        "sh",
        "-c",
        "stty size; tty; ps -o tty= -p $$; read x; stty size; echo $x",
        terminal=Terminal(rows=33, columns=111),
    )
    seen = shim.read_until(b"\npts/")
    assert seen.startswith(b"33 111\r\n/dev/pts/")
    shim.ask(Resize(terminal=Terminal(rows=20, columns=50)), ShimOk)
    shim.write(b"typed\n")
    assert b"20 50\r\ntyped\r\n" in shim.read_all(offset=len(seen))


def test_modes_of_a_terminal_that_change_in_silence_are_told_who_waits(shim: ShimClient) -> None:
    silent = "stty -echo; echo up; read line; stty -icanon -isig; read key"
    shim.start("sh", "-c", silent, terminal=Terminal())
    offset = len(shim.read_until(b"up\r\n"))
    shim.write(b"\n")
    began_s = time.monotonic()
    told = shim.read(offset=offset, wait_s=55, modes=(False, True))
    assert (told.data, told.ended, told.is_raw, told.signal_keys) == (b"", False, True, False)
    assert time.monotonic() - began_s < 45, "nobody told before the wait was over"
    shim.write(b"k\n", offset=1)
    assert shim.read(offset=offset, wait_s=55, modes=(True, False)).ended


def test_keys_of_a_terminal_reach_the_job(shim: ShimClient) -> None:
    shim.start("bash", "--norc", "-i", terminal=Terminal())
    sent, seen = 0, 0

    def type_in(keys: bytes, until: bytes) -> None:
        nonlocal sent, seen
        shim.write(keys, sent)
        sent += len(keys)
        seen += len(shim.read_until(until, offset=seen))

    def tells_of_its_end(keys: bytes) -> bool:
        """Bash 5.2 may reap what ends while it prompts only with the next child it waits for."""
        nonlocal sent
        shim.write(keys, sent)
        sent += len(keys)
        return b"Killed" in shim.read(offset=seen).data

    # Signals act on it at once; dash may act on SIGINT after the next command.
    asleep = b"perl -e '$| = 1; print qq(up\\n); sleep 1000'\n"
    type_in(asleep, b"up\r\n")
    type_in(b"\x03", b"^C")
    type_in(b"echo status-$?\n", b"status-130")
    type_in(asleep, b"up\r\n")
    type_in(b"\x1a", b"Stopped")
    type_in(b"jobs\n", b"[1]+  Stopped")
    eventually(lambda: tells_of_its_end(b"kill -9 %1; /bin/true\n"), what="its end is told")
    type_in(b"exit 12\n", b"exit 12")
    assert shim.status(PATIENCE_S).exit_status == 12
