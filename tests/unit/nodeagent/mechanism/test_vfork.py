"""Parents in vfork(2), and that such a pair of processes can be stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nodeagent.mechanism.signals import has_stopped
from nodeagent.mechanism.threads import state_of
from nodeagent.mechanism.vfork import Waiting, waiting
from nodeagent.migration.survey import starting
from nodeagent.stopping import until_stopped
from tests.unit.nodeagent.mechanism.patience import eventually

STARTER = """
import os, sys
reads_first = [(os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)]
os.waitpid(os.posix_spawn("/bin/sleep", ["sleep", "300"], {}, file_actions=reads_first), 0)
"""


@contextmanager
def starter(fifo: Path) -> Iterator[int]:
    """A process whose child waits for somebody to write to a pipe before it begins its program."""
    os.mkfifo(fifo)
    command = [sys.executable, "-S", "-c", STARTER, str(fifo)]
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def only(found: frozenset[Waiting]) -> Waiting:
    (one,) = found
    return one


def test_a_parent_waits_until_its_child_begins_its_program(tmp_path: Path) -> None:
    with starter(tmp_path / "fifo") as parent:
        eventually(lambda: bool(waiting([parent])))
        child = only(waiting([parent, os.getpid()])).child
        assert waiting([child]) == frozenset()
        (told,) = starting({parent: "python3", child: "python3"})
        assert told.startswith(
            f"process {parent} (python3) waits in vfork(2) until its child {child}"
        )
        with (tmp_path / "fifo").open("w"):
            eventually(lambda: not waiting([parent]))
        assert starting({parent: "python3", child: "sleep"}) == []


def test_a_child_that_is_stopped_too_early_goes_on_until_its_parent_can_stop(
    tmp_path: Path,
) -> None:
    with starter(tmp_path / "fifo") as parent:
        eventually(lambda: bool(waiting([parent])))
        child = only(waiting([parent])).child
        os.kill(parent, signal.SIGSTOP)
        os.kill(child, signal.SIGSTOP)
        eventually(lambda: state_of(f"/proc/{child}") == "T")
        assert not has_stopped(parent), "what this is for"
        writer = os.open(tmp_path / "fifo", os.O_RDWR)
        try:
            asyncio.run(until_stopped([parent, child]))
        finally:
            os.close(writer)
        assert has_stopped(parent)
        assert has_stopped(child)
        assert Path(f"/proc/{child}/comm").read_text() == "sleep\n"


def test_no_process_is_let_go_on_that_was_not_to_be_stopped(tmp_path: Path) -> None:
    with starter(tmp_path / "fifo") as parent:
        eventually(lambda: bool(waiting([parent])))
        child = only(waiting([parent])).child
        os.kill(child, signal.SIGSTOP)
        eventually(lambda: state_of(f"/proc/{child}") == "T")
        writer = os.open(tmp_path / "fifo", os.O_RDWR)
        try:
            asyncio.run(until_stopped([parent]))
        finally:
            os.close(writer)
        assert state_of(f"/proc/{child}") == "T"
        assert only(waiting([parent])) == (parent, child)


def test_a_process_that_has_ended_waits_for_nobody() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
        assert waiting([process.pid]) == frozenset()
