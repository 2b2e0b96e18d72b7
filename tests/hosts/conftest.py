"""The lab that all tests of this folder run on: real hosts with real sshd, made for this run."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ssi.lab import Lab
from ssi.lab.requirements import check_machine
from ssi.model.errors import SsiError
from tests.hosts.forked import end_parent
from tests.hosts.pair import Pair, pair_on
from tests.hosts.shim_client import ShimClient, ShimHost, keeper_here
from tests.hosts.system import SLOWER, Ssi, eventually


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A cached image takes seconds, a first one half a minute: the first test pays for it."""
    bound_s = 300 * SLOWER + config.getoption("--files-seconds")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(bound_s))


def pytest_sessionfinish() -> None:
    """Nobody asks for a command any more."""
    end_parent()


@pytest.fixture(scope="session")
def machine() -> None:
    """This machine can hold a lab; where it cannot, each test says in one line what is missing."""
    missing = ""
    try:
        check_machine()
    except SsiError as exc:
        missing = str(exc)
    if missing:  # outside of the handler, so that pytest shows this one line and no chain
        pytest.fail(f"tests/hosts need a lab: {missing}", pytrace=False)


@pytest.fixture(scope="session")
def lab(machine: None) -> Iterator[Lab]:
    """Three hosts, n1 to n3, shared by the whole run. A test leaves them as it found them."""
    remove_labs_of_dead_runs()
    name = f"t{os.getpid()}"
    try:
        yield Lab.up(name=name, size=3, progress=print)
    finally:
        Lab.remove(name)


@pytest.fixture(scope="module")
def pair(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Keepers on n1 and n2, without agents."""
    with pair_on(lab, tmp_path_factory.mktemp("wheels")) as pair:
        yield pair


@pytest.fixture(scope="session")
def big_lab(lab: Lab) -> Callable[[int], Lab]:
    """Grows the shared lab to at least so many hosts: ``big_lab(8).hosts``."""

    def grow(size: int) -> Lab:
        return Lab.up(name=lab.name, size=size)

    return grow


@pytest.fixture(scope="session")
def ssi(machine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ssi]:
    """A system of three nodes on a lab of its own, deployed by ``ssi up``, shared by the run.

    On an emulated machine it has two, which join one after the other: what takes its host half a
    minute there, ``ssi up`` gives up, and finds done the next time.
    """
    size = 2 if SLOWER > 1 else 3
    remove_labs_of_dead_runs()
    name = f"s{os.getpid()}"
    try:
        lab = Lab.up(name=name, size=size, progress=print)
        system = Ssi(lab, tmp_path_factory.mktemp("config"))
        if SLOWER > 1:
            for host in lab.hosts:
                if system("up", host.name).status:
                    system("up", host.name)
        system.ok("up", f"n1..n{size}")
        eventually(lambda: system("nodes").status == 0, what="this machine's agent answers")
        yield system
    finally:
        Lab.remove(name)
        end_client_agent(tmp_path_factory.getbasetemp())


@pytest.fixture
def spare_name(machine: None) -> Iterator[str]:
    """A name for a lab that one test may make, break and remove; it is removed after the test."""
    name = f"x{os.getpid()}"
    try:
        yield name
    finally:
        Lab.remove(name)


def remove_labs_of_dead_runs() -> None:
    """A run that was killed could not clean up; its labs are called by a letter and its pid."""
    for name in Lab.names():
        named = re.fullmatch(r"[txs](\d+)", name)
        if named and not Path(f"/proc/{named[1]}").exists():
            Lab.remove(name)


def end_client_agent(base: Path) -> None:
    """Ends the client-mode agents that commands of this run have started."""
    for pidfile in base.glob("**/run/agent.pid"):
        pid = int(pidfile.read_text(encoding="ascii").split()[0])
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            continue


@pytest.fixture(scope="module")
def shim_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShimHost]:
    """Forks shims on this machine, without an agent."""
    with keeper_here(tmp_path_factory.mktemp("shims")) as host:
        yield host


@pytest.fixture(params=[True, False], ids=["namespaces", "plain"])
def shim(request: pytest.FixtureRequest, shim_host: ShimHost) -> Iterator[ShimClient]:
    """An empty shim there; nothing of its job is left afterwards."""
    client = shim_host.shim(namespaces=request.param)
    yield client
    client.finish()
