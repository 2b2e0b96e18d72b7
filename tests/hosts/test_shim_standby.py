"""A CRIU that is loaded ahead of a dump or a restore: it is used, or makes no difference."""

from __future__ import annotations

import shutil
import signal

import pytest

from nodeagent.shim import messages as m
from ssi.model.job import Terminal
from ssi.model.shim import WrongStage
from tests.hosts.pair import Pair
from tests.hosts.shim_client import ADA, CRIU, ENVIRONMENT, ROOT, ShimClient, ShimHost
from tests.hosts.system import PATIENCE_S, eventually
from tests.hosts.test_shim_steps import signal_job

ECHO = ("sh", "-c", "while read x; do echo got $x; done; exit 9")
SCREEN = Terminal(rows=31, columns=97, term="xterm")


@pytest.fixture
def shim(pair: Pair) -> ShimClient:
    return pair.here.shim()


def await_criu(host: ShimHost, shim: ShimClient) -> int:
    """Its pid, once it is loaded and waits."""
    eventually(lambda: crius_of(host, shim), what="a CRIU that waits")
    return crius_of(host, shim)[0]


def crius_of(host: ShimHost, shim: ShimClient) -> list[int]:
    """Every CRIU of a shim."""
    shim_pid = shim.status().shim_pid
    children = host.outside(f"/proc/{shim_pid}/task/{shim_pid}/children").read_text().split()
    return [int(pid) for pid in children if name_of(host, pid) == "criu"]


def name_of(host: ShimHost, pid: str) -> str:
    try:
        return host.outside(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def stand_by_to_restore(
    shim: ShimClient, *, account: m.Account = ROOT, terminal: bool = False
) -> None:
    shim.ask(m.StandByToRestore(criu=CRIU, cgroup="", account=account, terminal=terminal), m.Ok)


def move(pair: Pair, shim: ShimClient, fresh: ShimClient) -> list[int]:
    """From the one to the other; every CRIU of the latter while the job is at its barrier."""
    images = pair.here.folder("images")
    dumped = shim.dump(images)
    arrived = pair.carry(images, pair.here, pair.there)
    fresh.restore(arrived, dumped.state)
    restoring = crius_of(pair.there, fresh)
    shim.commit()
    fresh.resume()
    shim.release()
    for host, folder in ((pair.here, images), (pair.there, arrived)):
        shutil.rmtree(host.outside(folder))
    return restoring


@pytest.mark.parametrize("account", [ROOT, ADA], ids=["root", "ada"])
@pytest.mark.parametrize("terminal", [None, SCREEN], ids=["pipes", "terminal"])
def test_one_criu_on_each_side_waits_and_moves_the_job(
    pair: Pair, shim: ShimClient, account: m.Account, terminal: Terminal | None
) -> None:
    shim.start(*ECHO, account=account, environment=ENVIRONMENT, terminal=terminal)
    shim.ask(m.StandByToDump(criu=CRIU), m.Ok)
    fresh = pair.there.shim()
    stand_by_to_restore(fresh, account=account, terminal=terminal is not None)
    waiting = [await_criu(pair.here, shim), await_criu(pair.there, fresh)]
    shim.write(b"early\n")
    seen = shim.read_until(b"got early")
    shim.ask(m.StandByToDump(criu=CRIU), m.Ok)  # the one that is there fits
    assert [crius_of(pair.here, shim), crius_of(pair.there, fresh)] == [
        [waiting[0]],
        [waiting[1]],
    ]
    assert waiting[1] in move(pair, shim, fresh)
    fresh.write(b"late\n", len(b"early\n"))
    fresh.read_until(b"got late", offset=len(seen))
    eventually(lambda: not crius_of(pair.there, fresh), what="the end of CRIU")
    signal_job(pair.there, fresh.status().root_pid, signal.SIGKILL)
    assert fresh.status(PATIENCE_S).killed_by == signal.SIGKILL


def test_criu_that_was_killed_as_it_waited_is_replaced(pair: Pair, shim: ShimClient) -> None:
    shim.start(*ECHO)
    shim.ask(m.StandByToDump(criu=CRIU), m.Ok)
    fresh = pair.there.shim()
    stand_by_to_restore(fresh)
    signal_job(pair.here, await_criu(pair.here, shim), signal.SIGKILL)
    signal_job(pair.there, await_criu(pair.there, fresh), signal.SIGKILL)
    eventually(lambda: not crius_of(pair.here, shim), what="its end")
    eventually(lambda: not crius_of(pair.there, fresh), what="its end")
    move(pair, shim, fresh)
    fresh.write(b"on\n")
    fresh.read_until(b"got on")


def test_criu_that_waits_for_another_kind_of_job_is_replaced(pair: Pair, shim: ShimClient) -> None:
    shim.start(*ECHO, account=ADA, environment=ENVIRONMENT)
    shim.ask(m.StandByToDump(criu=CRIU, lazy=True), m.Ok)
    fresh = pair.there.shim()
    stand_by_to_restore(fresh, account=ROOT, terminal=True)
    before = {await_criu(pair.here, shim), await_criu(pair.there, fresh)}
    move(pair, shim, fresh)
    fresh.write(b"on\n")
    fresh.read_until(b"got on")
    eventually(lambda: not before & set(crius_of(pair.there, fresh)), what="their end")


def test_criu_that_waits_ends_with_the_job(pair: Pair, shim: ShimClient) -> None:
    status = shim.start(*ECHO)
    shim.ask(m.StandByToDump(criu=CRIU), m.Ok)
    await_criu(pair.here, shim)
    shim.write(b"", end=True)
    assert shim.status(PATIENCE_S).exit_status == 9
    shim.release()
    gone = pair.here.outside(f"/proc/{status.shim_pid}")
    eventually(lambda: not gone.exists(), what="the end of the shim")


def test_criu_waits_only_where_its_request_can_follow(pair: Pair, shim: ShimClient) -> None:
    with pytest.raises(WrongStage):
        shim.ask(m.StandByToDump(criu=CRIU), m.Ok)
    shim.start(*ECHO)
    with pytest.raises(WrongStage):
        stand_by_to_restore(shim)
    assert not crius_of(pair.here, shim)
    assert shim.status().stands_by
