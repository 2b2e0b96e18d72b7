"""Random operations on mounts, compared with a local file system one by one."""

from __future__ import annotations

import base64
import random
import sys
import time
from pathlib import Path

import pytest

from nodeagent.filesystem.mount.journal import NodeRecord, read_journal
from tests.hosts.randomfiles import PROGRAM, Actor, Draw
from tests.hosts.system import Ssi, eventually


def sh(ssi: Ssi, node: str, line: str) -> str:
    run = ssi.host(node).run("sh", "-c", line, timeout_s=60)
    assert run.returncode == 0, (line, run)
    return run.stdout.decode()


def descriptors(ssi: Ssi) -> dict[str, int]:
    """How many files the server of n2 and the worker of n1 have open."""
    # What ZeroMQ has of its own comes and goes with connections.
    line = "ls -l /proc/$(pgrep -x {})/fd | grep -cv 'socket:\\|anon_inode'"
    return {
        name: int(sh(ssi, node, line.format(name)))
        for node, name in (("n2", "ssi-files"), ("n1", "ssi-mounts"))
    }


def inodes(ssi: Ssi) -> int:
    """How many inodes the worker of n1 knows of all its mounts."""
    known = 0
    for path in sh(ssi, "n1", "ls /run/ssi/files/*.journal").split():
        lookups: dict[int, int] = {}
        for record in read_journal(base64.b64decode(sh(ssi, "n1", f"base64 {path}"))):
            if isinstance(record, NodeRecord):
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
    before = descriptors(ssi), inodes(ssi)

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
    while time.monotonic() < until_s:
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
    eventually(
        lambda: all(
            now <= earlier
            for now, earlier in zip(
                (*descriptors(ssi).values(), inodes(ssi)),
                (*before[0].values(), before[1]),
                strict=True,
            )
        ),
        within_s=60,
        what=f"all to be given back that is more than {before}",
    )
