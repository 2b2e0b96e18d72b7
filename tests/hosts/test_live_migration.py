"""Memory that travels while a job runs, or packed; and what becomes of a job that loses some."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nodeagent.mechanism.criu import lacks_sys_resource
from nodeagent.mechanism.livememory import tracks_writes
from ssi.lab import Host
from tests.hosts.moving import images_of
from tests.hosts.system import COMMAND_TIMEOUT_S, Ssi, eventually

HOLDER = """
import hashlib, json, os, sys, time
open("/proc/self/comm", "w").write("holder")
kind, mib = sys.argv[1], int(sys.argv[2])
words = json.dumps([f"user-{n * 7919 % 1000003}" for n in range(60000)]).encode()[: 1 << 20]
make = (lambda n: words[n:] + words[:n]) if kind == "text" else (lambda n: os.urandom(1 << 20))
blocks = [bytearray(make(n)) for n in range(mib)]
digest = hashlib.sha256(b"".join(blocks)).hexdigest()
number = 0
while True:
    number += 1
    now = hashlib.sha256(b"".join(blocks)).hexdigest() if number % 20 == 0 else digest
    print(number, now == digest, flush=True)
    time.sleep(0.02)
"""

FORKER = "i=0; while :; do i=$((i+1)); echo $i; (sleep 0.02 & wait); /bin/true; done"


@contextmanager
def slow_link(host: Host, rate: str) -> Iterator[None]:
    """What the host sends is held to that rate."""
    shape = ["tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", rate]
    assert host.run(*shape, "burst", "64kb", "latency", "50ms").returncode == 0
    try:
        yield
    finally:
        host.run("tc", "qdisc", "del", "dev", "eth0", "root")


def holder(ssi: Ssi, kind: str, mib: int) -> str:
    gpid = ssi.detached("n1", "python3", "-c", HOLDER, kind, str(mib))
    eventually(lambda: "\n" in ssi.ok("logs", gpid), what="it holds its memory")
    return gpid


def move(ssi: Ssi, gpid: str, *words: str) -> dict[str, Any]:
    (told,) = json.loads(ssi.ok("migrate", "--json", gpid, *words))
    assert isinstance(told, dict)
    return told


def processes_on(host: Host) -> list[str]:
    """Those of the holder there. Its command line is memory too, and may not have come yet."""
    return host.enter("pgrep", "-x", "holder").stdout.decode().split()


def test_post_copy_brings_all_memory_there_and_back(ssi: Ssi) -> None:
    gpid = holder(ssi, "random", 24)
    for destination in ("n2", "n1"):
        report = move(ssi, gpid, destination, "--live", "post")
        assert report["late_bytes"] > 24 << 20
        assert report["image_bytes"] < 4 << 20
        assert ssi.job(gpid)["node"] == destination
        lines = len(ssi.ok("logs", gpid).splitlines())
        eventually(
            lambda lines=lines: len(ssi.ok("logs", gpid).splitlines()) > lines + 20,  # type: ignore[misc]
            what="it goes on and looks at its memory",
        )
    assert processes_on(ssi.host("n2")) == []
    ssi.ok("kill", "-9", gpid)
    told = ssi.ok("logs", gpid).splitlines()
    assert told == [f"{number + 1} True" for number in range(len(told))]


def test_a_job_whose_source_dies_before_its_memory_came_is_killed_and_lost(ssi: Ssi) -> None:
    gpid = holder(ssi, "random", 64)
    source, target = ssi.host("n1"), ssi.host("n2")
    with (
        slow_link(source, "40mbit"),
        ssi.start("migrate", gpid, "n2", "--live", "post") as command,
    ):
        eventually(lambda: ssi.job(gpid).get("node") == "n2", what="it is known to be there")
        (kept,) = processes_on(source)
        source.enter("kill", "-9", kept)
        _out, error = command.communicate(timeout=COMMAND_TIMEOUT_S)
    assert command.returncode == 37, error
    assert b"was lost" in error
    eventually(lambda: ssi.job(gpid)["state"] == "lost", what="it is told as lost")
    eventually(
        lambda: not processes_on(target) and not processes_on(source),
        what="nothing of it runs",
    )
    eventually(lambda: not images_of(ssi, gpid), what="nothing is kept of it")
    lines = ssi.ok("logs", gpid).splitlines()
    assert all(line.endswith("True") for line in lines), "it never saw zeros"


def test_a_job_whose_criu_dies_before_its_memory_came_is_lost_and_sees_no_zeros(ssi: Ssi) -> None:
    gpid = holder(ssi, "random", 64)
    source, target = ssi.host("n1"), ssi.host("n2")
    with (
        slow_link(source, "40mbit"),
        ssi.start("migrate", gpid, "n2", "--live", "post") as command,
    ):
        eventually(lambda: ssi.job(gpid).get("node") == "n2", what="it is known to be there")
        (criu,) = target.enter("pgrep", "-f", "^[^ ]*criu lazy-pages").stdout.decode().split()
        assert target.enter("kill", "-9", criu).returncode == 0
        _out, error = command.communicate(timeout=COMMAND_TIMEOUT_S)
    assert command.returncode == 37, error
    assert b"was lost" in error
    eventually(lambda: ssi.job(gpid)["state"] == "lost", what="it is told as lost")
    eventually(
        lambda: not processes_on(target) and not processes_on(source), what="nothing of it runs"
    )
    eventually(lambda: not images_of(ssi, gpid), what="nothing is kept of it")
    lines = ssi.ok("logs", gpid).splitlines()
    assert all(line.endswith("True") for line in lines), "it never saw zeros"


def test_a_job_that_forks_all_the_time_gets_its_memory_too(ssi: Ssi) -> None:
    gpid = ssi.detached("n1", "sh", "-c", FORKER)
    eventually(lambda: ssi.ok("logs", gpid), what="it forks")
    for destination in ("n2", "n1") * 12:
        move(ssi, gpid, destination, "--live", "post")
    ssi.ok("kill", "-9", gpid)
    told = ssi.ok("logs", gpid).split()
    assert told == [str(number + 1) for number in range(len(told))]


def test_memory_is_compressed_on_a_slow_link_and_not_on_a_fast_one(ssi: Ssi) -> None:
    gpid = holder(ssi, "text", 48)
    with slow_link(ssi.host("n1"), "50mbit"):  # slower than any packer, also on a busy machine
        slow = move(ssi, gpid, "n2")
    for _try in range(5):  # a receiver that waits for a processor looks like a slow link
        fast = move(ssi, gpid, "n1")
        if fast["compressed_bytes"] < fast["image_bytes"] / 4:
            break
        move(ssi, gpid, "n2")
    ssi.ok("kill", "-9", gpid)
    assert slow["compressed_bytes"] > slow["image_bytes"] / 2
    assert slow["sent_bytes"] < slow["image_bytes"] * 0.7
    assert fast["compressed_bytes"] < fast["image_bytes"] / 4


@contextmanager
def closed_ports(source: Host, destination: Host) -> Iterator[None]:
    """A firewall lets only such connections pass as stand, or go to ports that are known."""
    file = "/proc/sys/net/ipv4/ip_local_port_range"
    usual = destination.run("cat", file).stdout.decode().strip()
    assert destination.run("sh", "-c", f"echo 61000 61999 > {file}").returncode == 0
    rule = ["to", f"{destination.address}/32", "ipproto", "tcp", "dport", "61000-61999"]
    assert source.run("ip", "rule", "add", *rule, "prohibit").returncode == 0
    try:
        yield
    finally:
        source.run("ip", "rule", "del", *rule)
        destination.run("sh", "-c", f"echo {usual} > {file}")


def went_by_lane(host: Host, gpid: str, what: str = "images-sent") -> bool:
    """How the images or files of the last move of a job from there went, by its agent's log."""
    log = Path(host.root, "var/lib/ssi/agent.log").read_text(encoding="utf-8")
    *_, last = re.finditer(rf"event={what} gpid={gpid} by_lane=(\w+)", log)
    return last[1] == "True"


def test_images_have_a_connection_of_their_own_and_do_without_where_there_is_none(ssi: Ssi) -> None:
    gpid = holder(ssi, "random", 8)
    with closed_ports(ssi.host("n1"), ssi.host("n2")):
        assert move(ssi, gpid, "n2")["image_bytes"] > 8 << 20
    assert not went_by_lane(ssi.host("n1"), gpid)
    for _pair in range(5):  # on a busy machine it may not be connected in time
        assert move(ssi, gpid, "n1")["image_bytes"] > 8 << 20
        by_lane = went_by_lane(ssi.host("n2"), gpid)
        if by_lane:
            break
        move(ssi, gpid, "n2")
    assert by_lane
    lines = ssi.ok("logs", gpid).splitlines()
    ssi.ok("kill", "-9", gpid)
    assert all(line.endswith("True") for line in lines), "its memory is as it was"


def test_files_go_the_way_of_images_and_are_as_they_were(ssi: Ssi) -> None:
    for node in ("n1", "n2"):
        ssi.host(node).run("rm", "-f", "/srv/written")
    write = "head -c 9000000 /dev/urandom >&5; sha256sum /srv/written; exec sleep 600"
    gpid = ssi.detached("n1", "sh", "-c", f"exec 5>/srv/written; {write}")
    eventually(lambda: "/srv/written" in ssi.ok("logs", gpid), what="it has written")
    digest = ssi.ok("logs", gpid).split()[0]

    def goes_by_lane(source: str, destination: str) -> bool:
        assert move(ssi, gpid, destination)["carried_bytes"] == 9_000_000
        there = ssi.host(destination).run("sha256sum", "/srv/written").stdout.decode()
        assert there.split()[0] == digest
        left = ssi.host(source).run("ls", "/srv/written")
        assert left.returncode != 0, "what it writes is on one node"
        return went_by_lane(ssi.host(source), gpid, "files-leave")

    moves = []
    with closed_ports(ssi.host("n1"), ssi.host("n2")):
        moves.append(goes_by_lane("n1", "n2"))
    for _pair in range(5):  # on a busy machine it may not be connected in time
        moves += [goes_by_lane("n2", "n1"), goes_by_lane("n1", "n2")]
        if any(moves):
            break
    ssi.ok("kill", "-9", gpid)
    assert not moves[0]
    assert any(moves[1:])


@pytest.mark.skipif(tracks_writes(), reason="this kernel tells which pages are written to")
def test_pre_copy_is_refused_by_name_where_the_kernel_does_not_track_writes(ssi: Ssi) -> None:
    findings = {row["check"]: row["text"] for row in ssi.json("doctor") if row["where"] == "n1"}
    assert "--live stop" in findings["live moves"]
    status = ssi.host("n1").run("cat", "/proc/self/status").stdout.decode()
    largest = int(ssi.host("n1").run("cat", "/proc/sys/fs/pipe-max-size").stdout)
    is_small = lacks_sys_resource(status) and largest < 4 << 20
    assert ("sysctl -w fs.pipe-max-size=4194304" in findings["live moves"]) == is_small
    gpid = holder(ssi, "text", 1)
    refused = ssi("migrate", gpid, "n2", "--live", "pre")
    ssi.ok("kill", "-9", gpid)
    assert "pre" in findings["live moves"].partition("; not ")[2]
    assert refused.status == 26
    assert "--live pre cannot be: kernel" in refused.err
    assert "does not tell which pages are written to (CONFIG_MEM_SOFT_DIRTY)" in refused.err
    assert "use --live stop" in refused.err
    assert len(refused.err.splitlines()) == 1
