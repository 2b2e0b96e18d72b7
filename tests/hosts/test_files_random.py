"""Random operations on mounts, compared with a local file system one by one."""

from __future__ import annotations

import base64
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from nodeagent.filesystem.fuse.abi import ROOT_ID
from nodeagent.filesystem.mount.journal import NodeRecord, read_journal
from tests.hosts.crowd import PROGRAM as CROWD
from tests.hosts.randomfiles import PROGRAM, Actor, Draw
from tests.hosts.system import Ssi, eventually


def sh(ssi: Ssi, node: str, line: str) -> str:
    run = ssi.host(node).run("sh", "-c", line, timeout_s=60)
    assert run.returncode == 0, (line, run)
    return run.stdout.decode()


def descriptors(ssi: Ssi) -> dict[str, int]:
    """How many files the server of n2 and the worker of n1 have open."""
    # What ZeroMQ has comes and goes with connections; what is written is kept in one file.
    line = "ls -l /proc/$(pgrep -x {})/fd | grep -cv 'socket:\\|anon_inode\\|files/writes'"
    return {
        name: int(sh(ssi, node, line.format(name)))
        for node, name in (("n2", "ssi-files"), ("n1", "ssi-mounts"))
    }


def inodes(ssi: Ssi) -> int:
    """How many inodes the worker of n1 knows of all its mounts, beside their roots.

    A root is noted only once a journal has been written anew.
    """
    known = 0
    for path in sh(ssi, "n1", "ls /run/ssi/files/*.journal").split():
        lookups: dict[int, int] = {}
        for record in read_journal(base64.b64decode(sh(ssi, "n1", f"base64 {path}"))):
            if isinstance(record, NodeRecord) and record.number != ROOT_ID:
                lookups[record.number] = record.lookups
        known += sum(1 for count in lookups.values() if count)
    return known


def test_random_operations_of_two_nodes_are_those_of_a_local_file_system(
    ssi: Ssi, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    sh(ssi, "n2", "rm -rf /srv/r && mkdir -p /srv/r")
    for node in ("n1", "n3"):
        sh(ssi, node, "mkdir -p /mnt/strict")
        ssi.ok("mount", "n2", "/mnt/strict", "--on", node, "--sync")
    eventually(lambda: "r" in sh(ssi, "n1", "ls /ssi/n/n2/srv"), what="the mount")
    before = held(ssi)

    def actor(node: str, folder: str) -> Actor:
        return Actor(ssi.host(node).ssh_command("python3", "-c", PROGRAM, folder))

    def model(name: str) -> Actor:
        return Actor([sys.executable, "-c", PROGRAM, str(tmp_path / name)])

    # Two nodes that believe nothing share a directory; one that believes has one for itself.
    shared, own = model("shared"), model("own")
    actors = [
        (actor("n1", "/mnt/strict/srv/r/shared"), shared),
        (actor("n3", "/mnt/strict/srv/r/shared"), shared),
        (actor("n1", "/ssi/n/n2/srv/r/own"), own),
    ]
    replayed = request.config.getoption("--seed", None)
    seed = random.randrange(1 << 32) if replayed is None else replayed
    draw, done = Draw(seed), 0
    until_s = time.monotonic() + request.config.getoption("--files-seconds")
    while time.monotonic() < until_s or done <= 100:  # however slow the machine is
        number = draw.one_of(range(len(actors)))
        real, local = actors[number]
        deed = draw.deed(number)
        found, wanted = real(deed), local(deed)
        assert found == wanted, (seed, done, number, deed)
        done += 1
    print(f"seed {seed}: {done} operations")
    assert done > 100
    for each in (*(real for real, _ in actors), shared, own):
        each.end()
    for node in ("n1", "n3"):
        ssi.ok("umount", "/mnt/strict", "--on", node)
    sh(ssi, "n1", "rm -rf /ssi/n/n2/srv/r")
    await_given_back(ssi, before)


def test_fifty_programs_at_once_on_one_mount_find_each_byte(
    ssi: Ssi, request: pytest.FixtureRequest
) -> None:
    clients, seconds = 50, request.config.getoption("--files-seconds")
    sh(ssi, "n2", "rm -rf /srv/crowd && mkdir -p /srv/crowd")
    eventually(lambda: "crowd" in sh(ssi, "n1", "ls /ssi/n/n2/srv"), what="the mount")
    before = held(ssi)
    replayed = request.config.getoption("--seed", None)
    seed = str(random.randrange(1 << 32) if replayed is None else replayed)
    words = ("/ssi/n/n2/srv/crowd", str(clients), str(seconds), seed)
    run = ssi.host("n1").run("python3", "-c", CROWD, *words, timeout_s=seconds + 200)
    assert run.returncode == 0, (seed, run.stderr.decode())
    told = [json.loads(line) for line in run.stdout.splitlines()]
    assert sorted(number for number, *_ in told) == list(range(clients))
    print(f"seed {seed}: {sum(deeds for _, deeds, _, _ in told)} operations")

    # At the server all is as each of them says, and no line of the log is lost or torn.
    look = "cd /srv/crowd && find . -type f ! -name log -exec b2sum {} +"
    found = {}
    for line in sh(ssi, "n2", look).splitlines():
        value, path = line.split()
        found[path.replace("./", "/ssi/n/n2/srv/crowd/", 1)] = value
    sums = {path: value for *_, sums in told for path, value in sums.items()}
    assert found == sums
    lines = sh(ssi, "n2", "cat /srv/crowd/log").splitlines()
    assert Counter(lines) == {
        f"{number} {line}": 1 for number, _, count, _ in told for line in range(count)
    }
    sh(ssi, "n1", "rm -rf /ssi/n/n2/srv/crowd")
    await_given_back(ssi, before)


def held(ssi: Ssi) -> tuple[int, ...]:
    """How many descriptors and inodes both ends hold."""
    return (*descriptors(ssi).values(), inodes(ssi))


def await_given_back(ssi: Ssi, before: tuple[int, ...]) -> None:
    """Nothing is held any more that was not before."""
    seen: list[tuple[int, ...]] = []

    def is_given_back() -> bool:
        seen.append(held(ssi))
        return all(now <= earlier for now, earlier in zip(seen[-1], before, strict=True))

    try:
        eventually(is_given_back, within_s=60, what=f"all to be given back beyond {before}")
    except AssertionError as exc:
        exc.add_note(f"held of late: {seen[-1]}")
        raise
