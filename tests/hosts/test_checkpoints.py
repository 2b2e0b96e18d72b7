"""Checkpoints by hand: a job comes back as it was or not at all, and a copy is a job of its own."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from nodeagent.checkpoint.manifest import seal, seal_key, unseal
from tests.hosts.striking import standing_criu
from tests.hosts.system import Ssi, eventually

MADE = re.compile(r"(?P<name>\S+): \S+ on (?P<node>n\d), \d+ ms in all, held for \d+ ms\n")
REVIVED = re.compile(r"(?P<gpid>\d+) on (?P<node>n\d): \d+ ms in all")

COUNTER = """
import os, sys, time
log = open(sys.argv[1], "a", buffering=1) if len(sys.argv) > 1 else sys.stdout
count = 0
while True:
    print(count, file=log, flush=True)
    count += 1
    time.sleep(0.01)
"""


@pytest.fixture
def folder(ssi: Ssi) -> str:
    for host in ssi.lab.hosts:
        assert host.run("sh", "-c", "rm -rf /srv/cp; mkdir -p /srv/cp").returncode == 0
    return "/srv/cp"


def counter(ssi: Ssi, *words: str) -> str:
    gpid = ssi.detached("n1", "python3", "-c", COUNTER, *words)
    eventually(
        lambda: numbers(ssi, "n1", *words) if words else ssi.ok("logs", gpid), what="it counts"
    )
    return gpid


def numbers(ssi: Ssi, node: str, path: str) -> list[int]:
    return [int(word) for word in ssi.host(node).run("cat", path).stdout.split()]


def store(ssi: Ssi, node: str, name: str) -> Path:
    return Path(ssi.host(node).root, "var/lib/ssi/checkpoints", name)


def ended(ssi: Ssi, gpid: str) -> None:
    ssi.ok("kill", "-9", gpid)
    assert ssi("wait", gpid).status == 137


def counts_on(ssi: Ssi, gpid: str, lines: int) -> None:
    eventually(lambda: len(ssi.ok("logs", gpid).splitlines()) > lines, what="it counts on")


def revive(ssi: Ssi, *words: str) -> tuple[str, str]:
    told = REVIVED.match(ssi.ok("restore", *words))
    assert told is not None
    return told["gpid"], told["node"]


def test_a_job_comes_back_once_as_itself_and_ever_after_as_another(ssi: Ssi, folder: str) -> None:
    path = f"{folder}/log"
    gpid = counter(ssi, path)
    eventually(lambda: len(numbers(ssi, "n1", path)) > 20, what="it counts")
    assert MADE.fullmatch(ssi.ok("checkpoint", gpid, "--name", "snap"))
    assert ssi("checkpoint", gpid, "-o", "snap").status == 2
    (row,) = (row for row in ssi.json("checkpoints") if row["name"] == "snap")
    assert (row["name"], row["gpid"], row["node"], row["user"], row["epoch"], row["kept"]) == (
        *("snap", int(gpid), "n1", "root", 1, True),
    )
    files = list(store(ssi, "n1", "snap").rglob("*"))
    assert files and all(file.stat().st_mode & 0o077 == 0 for file in files)
    result = ssi("restore", "snap")
    assert result.status == 33 and "lives on n1" in result.err
    ended(ssi, gpid)
    result = ssi("restore", "snap")
    assert result.status == 34 and f"{path} has grown" in result.err
    assert revive(ssi, "snap", "--files", "rewind") == (gpid, "n1")
    at = len(numbers(ssi, "n1", path))
    eventually(lambda: len(numbers(ssi, "n1", path)) > at, what="it counts on")
    job = ssi.job(gpid)
    assert (job["state"], job["epoch"], job["nodes"]) == ("running", 2, ["n1", "n1"])
    ended(ssi, gpid)
    found = numbers(ssi, "n1", path)
    assert found == list(range(len(found))), "not a number is missing or there twice"
    result = ssi("restore", "snap", "--files", "rewind")
    assert result.status == 33 and "epoch 1" in result.err and "epoch 2 on n1" in result.err
    other, node = revive(ssi, "snap", "--new", "-n", "n2", "--files", "rewind")
    assert (node, other == gpid) == ("n2", False)
    assert ssi.job(other)["epoch"] == 1
    ended(ssi, other)
    found = numbers(ssi, "n2", path)
    assert found == list(range(len(found))) and len(found) > 20
    ssi.ok("checkpoints", "rm", "snap")
    assert "snap" not in {row["name"] for row in ssi.json("checkpoints")}
    assert not store(ssi, "n1", "snap").exists()
    assert ssi("restore", "snap").status == 8


def test_a_job_that_its_checkpoint_ends_goes_on_elsewhere_as_if_nothing_had_been(
    ssi: Ssi, folder: str
) -> None:
    path = f"{folder}/log"
    gpid = counter(ssi, path)
    eventually(lambda: len(numbers(ssi, "n1", path)) > 5, what="it counts")
    told = MADE.fullmatch(ssi.ok("checkpoint", gpid, "--stop"))
    assert told is not None
    row = ssi.job(gpid)
    assert (row["state"], row["exit_status"]) == ("exited", 137)
    assert row["problem"] == "ended by its checkpoint"
    assert revive(ssi, told["name"], "-n", "n2") == (gpid, "n2")
    assert [row["node"] for row in ssi.json("jobs") if str(row["gpid"]) == gpid] == ["n2"]
    at = len(numbers(ssi, "n2", path))
    eventually(lambda: len(numbers(ssi, "n2", path)) > at, what="it counts on")
    ended(ssi, gpid)
    found = numbers(ssi, "n2", path)
    assert found == list(range(len(found)))
    ssi.ok("checkpoints", "rm", f"n1:{told['name']}")


def test_a_changed_byte_and_other_credentials_are_refused(ssi: Ssi) -> None:
    gpid = counter(ssi)
    ssi.ok("checkpoint", gpid, "-o", "damaged", "--stop")
    place = store(ssi, "n1", "damaged")
    for name in ("images/pstree.img", "manifest"):
        whole = (place / name).read_bytes()
        middle = len(whole) // 2
        changed = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        (place / name).write_bytes(changed)
        result = ssi("restore", "damaged", "--new")
        assert result.status == 33 and result.err.count("\n") == 1, result
        assert ("pstree.img has been changed" if "/" in name else "seal") in result.err
        (place / name).write_bytes(whole)
    secret = Path(ssi.host("n1").root, "var/lib/ssi/node.key").read_text(encoding="ascii")
    key = seal_key(secret.split()[1])
    manifest = unseal((place / "manifest").read_bytes(), key)
    thread = manifest.credentials[0]
    others = msgspec.structs.replace(thread, ids=(1000, *thread.ids[1:]))
    forged = msgspec.structs.replace(manifest, credentials=(others, *manifest.credentials[1:]))
    whole = (place / "manifest").read_bytes()
    (place / "manifest").write_bytes(seal(forged, key))
    result = ssi("restore", "damaged", "--new")
    assert result.status == 33 and "other credentials" in result.err, result
    (place / "manifest").write_bytes(whole)
    other, _node = revive(ssi, "damaged", "--new")
    ended(ssi, other)
    ssi.ok("checkpoints", "rm", "damaged")


def test_a_full_disk_leaves_the_job_alone(ssi: Ssi) -> None:
    gpid = counter(ssi)
    host = ssi.host("n1")
    place = "/var/lib/ssi/checkpoints"
    mount = f"mkdir -p {place} && mount -t tmpfs -o size=1m none {place}"
    assert host.run("sh", "-c", mount).returncode == 0
    try:
        result = ssi("checkpoint", gpid)
        assert result.status == 31 and f"{place} has no room" in result.err
    finally:
        eventually(lambda: host.run("umount", place).returncode == 0, what="it is unmounted")
    assert ssi.job(gpid)["state"] == "running"
    ssi.ok("kill", "-9", gpid)


def test_a_job_that_ends_while_its_checkpoint_is_taken_is_not_said_to_run_on(ssi: Ssi) -> None:
    code = "import time; memory = bytes(300 << 20).replace(b'\\0', b'x'); print(1); time.sleep(600)"
    gpid = ssi.detached("n1", "python3", "-u", "-c", code)
    eventually(lambda: ssi.ok("logs", gpid), what="it has its memory")
    taking = ssi.start("checkpoint", gpid)
    images = Path(ssi.host("n1").root, "run/ssi/images")

    def is_written() -> bool:
        return any(file.stat().st_size > 1 << 20 for file in images.glob(f"{gpid}-*/pages-*"))

    eventually(is_written, what="its memory is written", every_s=0.005)
    with standing_criu(ssi.host("n1"), b"dump"):
        ssi.ok("kill", "-9", gpid)
    _out, err = taking.communicate(timeout=60)
    assert taking.returncode == 32, err
    assert b"it has ended; `ssi jobs` tells how" in err
    assert ssi("wait", gpid).status == 137, "it may still be about to end"
    again = ssi("checkpoint", gpid)
    assert again.status == 31 and "it has ended; the job was not touched" in again.err, again


def test_a_copy_is_a_job_of_its_own(ssi: Ssi, folder: str) -> None:
    gpid = counter(ssi)
    lines = len(ssi.ok("logs", gpid).splitlines())
    for node in ("n1", "n2"):
        told = REVIVED.match(ssi.ok("clone", gpid, "-n", node))
        assert told is not None and told["node"] == node and told["gpid"] != gpid
        copy = told["gpid"]
        counts_on(ssi, copy, lines + 5)
        gpids = {str(row["gpid"]) for row in ssi.json("ps", "--jobs")}
        assert {gpid, copy} <= gpids
        ssi.ok("kill", "-9", copy)
        found = [int(line) for line in ssi.ok("logs", copy).splitlines()]
        assert found == list(range(len(found))), "it has what was written before, and its own"
    assert ssi.job(gpid)["state"] == "running"
    ended(ssi, gpid)
    path = f"{folder}/log"
    writer = counter(ssi, path)
    result = ssi("clone", writer)
    assert result.status == 31 and f"writes to {path}" in result.err
    told = REVIVED.match(ssi.ok("clone", writer, "--share-files"))
    assert told is not None
    ended(ssi, told["gpid"])
    ended(ssi, writer)


def test_an_ordinary_user_keeps_and_copies_what_is_his_and_nothing_else(ssi: Ssi) -> None:
    def as_ada(script: str) -> tuple[int, str, str]:
        run = ssi.host("n1").run("runuser", "-u", "ada", "--", "sh", "-c", script)
        return run.returncode, run.stdout.decode().strip(), run.stderr.decode()

    roots = ssi.detached("n1", "sleep", "1000")
    ssi.ok("checkpoint", roots, "--name", "roots")
    status, mine, _ = as_ada("ssi run -n n1 -d -- sleep 1000")
    assert status == 0
    status, told, err = as_ada(
        f"ssi checkpoint {mine} --stop --name adas && ssi restore adas -n n2"
    )
    assert status == 0, err
    assert (ssi.job(mine)["user"], ssi.job(mine)["node"]) == ("ada", "n2"), told
    for command in (f"ssi checkpoint {roots}", f"ssi clone {roots}"):
        status, _, err = as_ada(command)
        assert status == 7 and "may not" in err
    for command in ("ssi restore roots --new", "ssi checkpoints rm roots"):
        assert as_ada(command)[0] == 8, "of others' checkpoints nothing is seen"
    assert "roots" not in as_ada("ssi checkpoints")[1]
    ssi.ok("checkpoints", "rm", "roots", "adas")
    ssi.ok("kill", "-9", roots, mine)
