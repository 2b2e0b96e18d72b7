"""A keeper with a stand-in for the agent: who starts whom, who survives whom."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from nodeagent.keeper.backoff import Backoff
from nodeagent.mechanism.pidfile import open_process, write_pidfile
from nodeagent.places import Places
from nodeagent.shim.keepermessages import ForkShim, ShimForked
from nodeagent.shim.streammessages import (
    Read,
)
from ssi.model.shim import ShimFailed, WrongStage
from tests.hosts.shim_client import Client, ShimClient
from tests.hosts.system import PATIENCE_S

PROJECT = Path(__file__).parents[2]

AGENT = """
import os, sys, time
with open(os.environ["SSI_STATE_DIR"] + "/starts", "a") as starts:
    print(os.getpid(), time.monotonic(), *sys.argv[1:], file=starts)
if os.path.exists(os.environ["SSI_STATE_DIR"] + "/broken"):
    sys.exit(1)
time.sleep(600)
"""


class Keeper:
    """A keeper whose ``nodeagent`` package starts the stand-in instead of an agent."""

    def __init__(self, folder: Path) -> None:
        self.places = Places(folder / "run", folder / "state")
        self.places.state.mkdir(parents=True)
        self.lib = folder / "lib"
        self.lib.mkdir()
        (self.lib / "ssi").symlink_to(PROJECT / "ssi")
        package = self.lib / "nodeagent"
        package.mkdir()
        for source in (PROJECT / "nodeagent").iterdir():
            if source.name not in {"__main__.py", "__pycache__"}:
                (package / source.name).symlink_to(source)
        (package / "__main__.py").write_text(AGENT)
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *options: str, within: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        boot = (
            "import runpy, sys; sys.path.insert(0, sys.argv.pop(1));"
            "runpy.run_module('nodeagent.keeper', run_name='__main__', alter_sys=True)"
        )
        environment = {
            **os.environ,
            "SSI_RUNTIME_DIR": str(self.places.runtime),
            "SSI_STATE_DIR": str(self.places.state),
        }
        process = subprocess.Popen(
            [*within, sys.executable, "-I", "-c", boot, str(self.lib), *options], env=environment
        )
        self.processes.append(process)
        return process

    def answers(self) -> bool:
        """Whether it listens: its socket has its name a moment before."""
        try:
            Client(self.places.keeper_socket).close()
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    def starts(self) -> list[str]:
        """A line per agent that was started: its pid, when, and its options."""
        file = self.places.state / "starts"
        return file.read_text().splitlines() if file.exists() else []

    def agent(self) -> int:
        return int(self.starts()[-1].split()[0])

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
                process.wait(PATIENCE_S)


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    keeper = Keeper(tmp_path)
    yield keeper
    keeper.stop()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_agent_gets_the_options_and_its_pid_is_known(keeper: Keeper) -> None:
    keeper.start("--name", "n 1", "--control-port", "0")
    wait_for(keeper.starts)
    assert keeper.starts()[0].split(maxsplit=2)[2] == "--name n 1 --control-port 0"
    wait_for(keeper.places.agent_pid.exists)
    found = open_process(keeper.places.agent_pid)
    assert found is not None
    os.close(found[1])
    assert found[0] == keeper.agent()


def test_killed_agent_is_started_again(keeper: Keeper) -> None:
    """That the first delay is short is claimed where it is decided: its backoff has tests."""
    keeper.start()
    wait_for(keeper.starts)
    killed = keeper.agent()
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: len(keeper.starts()) == 2)
    assert keeper.agent() != killed
    assert alive(keeper.agent())


def test_agent_that_cannot_start_is_tried_ever_more_slowly(keeper: Keeper) -> None:
    (keeper.places.state / "broken").touch()
    keeper.start()
    wait_for(lambda: len(keeper.starts()) >= 4)
    tried_s = [float(line.split()[1]) for line in keeper.starts()]
    backoff = Backoff()
    for earlier_s, later_s in itertools.pairwise(tried_s):
        assert later_s - earlier_s >= backoff.delay_s(lived_s=0)


def test_running_agent_is_watched_and_not_started_twice(keeper: Keeper) -> None:
    keeper.places.runtime.mkdir()
    running = subprocess.Popen(["sleep", "600"])
    write_pidfile(keeper.places.agent_pid, running.pid)
    keeper.start()
    wait_for(keeper.answers)
    time.sleep(0.3)
    assert keeper.starts() == []
    running.kill()
    running.wait(PATIENCE_S)
    wait_for(keeper.starts)


def test_second_keeper_leaves_the_first_alone(keeper: Keeper) -> None:
    first = keeper.start()
    wait_for(keeper.answers)
    assert keeper.start().wait(PATIENCE_S) == 0
    assert first.poll() is None
    Client(keeper.places.keeper_socket).close()


@pytest.mark.parametrize("how", ["sigterm", "down"])
def test_end_of_the_keeper_ends_the_agent_and_no_job(keeper: Keeper, how: str) -> None:
    process = keeper.start()
    wait_for(lambda: keeper.starts() and keeper.answers())
    agent = keeper.agent()
    client = Client(keeper.places.keeper_socket)
    directory = keeper.places.runtime / "job"
    directory.mkdir()
    client.ask(ForkShim(directory=str(directory), namespaces=True), ShimForked)
    client.close()
    shim = ShimClient(directory)
    status = shim.start("sh", "-c", "read x; exit 6")
    if how == "sigterm":
        process.terminate()
    else:
        keeper.places.down.touch()
    assert process.wait(PATIENCE_S) == 0
    assert not alive(agent)
    assert not keeper.places.keeper_socket.exists()
    assert alive(status.root_pid)
    shim.write(b"\n")
    assert shim.status(PATIENCE_S).exit_status == 6
    shim.release()
    shim.close()


def test_killed_keeper_leaves_agent_and_jobs_to_the_next(keeper: Keeper) -> None:
    process = keeper.start()
    wait_for(lambda: keeper.starts() and keeper.places.agent_pid.exists())
    agent = keeper.agent()
    process.kill()
    process.wait(PATIENCE_S)
    assert alive(agent)
    keeper.start()
    wait_for(keeper.answers)
    time.sleep(0.3)
    assert len(keeper.starts()) == 1
    assert alive(agent)


def test_node_that_is_down_starts_nothing(keeper: Keeper) -> None:
    keeper.places.runtime.mkdir()
    keeper.places.down.touch()
    assert keeper.start().wait(PATIENCE_S) == 0
    assert keeper.starts() == []


def test_sockets_and_folders_are_private(keeper: Keeper) -> None:
    keeper.start()
    wait_for(keeper.answers)
    assert keeper.places.keeper_socket.stat().st_mode & 0o777 == 0o600
    assert keeper.places.keeper_log.stat().st_mode & 0o777 == 0o600


def test_shim_that_cannot_be_made_is_told(keeper: Keeper) -> None:
    keeper.start()
    wait_for(keeper.answers)
    client = Client(keeper.places.keeper_socket)
    with pytest.raises(ShimFailed) as caught:
        client.ask(ForkShim(directory="/no/such/folder", namespaces=True), ShimForked)
    assert "/no/such/folder" in caught.value.reason
    with pytest.raises(WrongStage):
        client.ask(Read(stream="stdout", offset=0, limit_bytes=1, wait_ms=0), ShimForked)
    client.close()


def spares_of(process: subprocess.Popen[bytes]) -> list[int]:
    """The shims that a keeper has in reserve, and that wait for their directory."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [pid for pid in map(int, children) if is_spare(pid)]


def is_spare(pid: int) -> bool:
    """Whether it is one now: it may have ended, or have become a shim, since it was listed."""
    try:
        return alive(pid) and Path(f"/proc/{pid}/comm").read_text().strip() == "ssi-spare"
    except OSError:
        return False


def the_spare_of(process: subprocess.Popen[bytes], *, but: int = 0) -> int:
    """The one in reserve, once it is another one and alone."""
    found: list[int] = []

    def is_another() -> bool:
        found[:] = spares_of(process)
        return len(found) == 1 and found != [but]

    wait_for(is_another)
    return found[0]


def test_one_shim_is_in_reserve_and_is_the_next_and_ends_with_its_keeper(keeper: Keeper) -> None:
    process = keeper.start()
    wait_for(keeper.answers)
    client = Client(keeper.places.keeper_socket)
    pids: list[int] = []
    spares: list[int] = []
    shims: list[ShimClient] = []
    for number, namespaces in enumerate((True, True, False, False)):
        directory = keeper.places.runtime / f"job{number}"
        directory.mkdir()
        order = ForkShim(directory=str(directory), namespaces=namespaces)
        pids.append(client.ask(order, ShimForked).pid)
        shims.append(ShimClient(directory))
        assert shims[-1].start("true").shim_pid == pids[-1]
        assert shims[-1].status(PATIENCE_S).exit_status == 0
        spares.append(the_spare_of(process, but=spares[-1] if spares else 0))
    # The third order is for a shim without namespaces, and what was in reserve had some.
    assert [pids[1], pids[3]] == [spares[0], spares[2]]
    assert pids[2] != spares[1]
    wait_for(lambda: not alive(spares[1]))
    for shim in shims:
        shim.release()
        shim.close()
    os.kill(process.pid, signal.SIGKILL)
    process.wait(PATIENCE_S)
    wait_for(lambda: not alive(spares[3]))
    client.close()


def test_reserve_that_was_killed_or_misses_a_mount_is_replaced(keeper: Keeper) -> None:
    process = keeper.start(within=["unshare", "--mount", "--propagation", "private"])
    wait_for(keeper.answers)
    client = Client(keeper.places.keeper_socket)
    folder = keeper.places.runtime / "folder"
    folder.mkdir()

    def job(name: str) -> ShimClient:
        directory = keeper.places.runtime / name
        directory.mkdir()
        client.ask(ForkShim(directory=str(directory), namespaces=True), ShimForked)
        return ShimClient(directory)

    shims = [job("first")]
    killed = the_spare_of(process)
    os.kill(killed, signal.SIGKILL)
    shims.append(job("second"))
    blind = the_spare_of(process, but=killed)
    mount = f"mount -t tmpfs none {folder} && touch {folder}/seen"
    there = ["nsenter", "--mount", "--target", str(process.pid), "sh", "-c", mount]
    subprocess.run(there, check=True, timeout=PATIENCE_S)
    shims.append(job("third"))
    status = shims[-1].start("test", "-e", f"{folder}/seen")
    assert status.shim_pid != blind
    assert shims[-1].status(PATIENCE_S).exit_status == 0
    wait_for(lambda: not alive(blind))
    for shim in shims:
        shim.release()
        shim.close()
    client.close()


def test_shim_shares_most_of_its_memory(keeper: Keeper) -> None:
    keeper.start()
    wait_for(keeper.answers)
    client = Client(keeper.places.keeper_socket)
    private_bytes = []
    for number in range(9):
        directory = keeper.places.runtime / f"job{number}"
        directory.mkdir()
        client.ask(ForkShim(directory=str(directory), namespaces=True), ShimForked)
        shim = ShimClient(directory)
        status = shim.start("sleep", "600")
        rollup = Path(f"/proc/{status.shim_pid}/smaps_rollup").read_text()
        (dirty,) = (line for line in rollup.splitlines() if line.startswith("Private_Dirty"))
        private_bytes.append(int(dirty.split()[1]) * 1024)
        os.kill(status.shim_pid, signal.SIGKILL)
        shim.close()
    client.close()
    assert sorted(private_bytes)[4] < 8 * 1024 * 1024
