"""``ssi cp``: from node to node, to and from a machine that is none, as whoever asks."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts.system import Ssi, eventually

TREE = """
import os
os.makedirs("/srv/copies/d/empty"); os.chdir("/srv/copies")
for number in range(300):
    with open(f"d/{number}", "w") as file: file.write(f"{number}\\n" * number)
os.chown("d/1", 1000, 1000); os.chmod("d/1", 0o4750)
os.symlink("1", "d/soft"); os.link("d/1", "d/hard"); os.mkfifo("d/fifo")
with open("sparse", "wb") as file: file.seek(1 << 30); file.write(b"end")
with open("odd \\n name", "wb") as file: file.write(os.urandom(3_000_000))
os.utime("d", (7, 8))
"""

LISTED = (
    "cd {} && find . -printf '%y %m %u %g %T@ %s %n %p %l\\\\n' | sort; du -s --block-size=1M ."
)
"""All that a tree is, but for what is in its files."""

SUMS = "cd {} && find . -type f ! -name sparse -exec sha256sum {{}} + | sort"


@pytest.fixture(scope="module", autouse=True)
def tree(ssi: Ssi) -> Iterator[None]:
    """Something of everything on n1; afterwards all nodes are as they were."""
    sh(ssi, "n1", f"python3 -c '{TREE}'")
    yield
    for node in ("n1", "n2", "n3"):
        sh(ssi, node, "umount /srv/small 2>/dev/null; rm -rf /srv/*")


def sh(ssi: Ssi, node: str, line: str, user: str = "root") -> str:
    """What a line says on a host."""
    run = ssi.host(node).run("sh", "-c", line, user=user, timeout_s=60)
    assert run.returncode == 0, (line, run)
    return run.stdout.decode()


def received(ssi: Ssi, node: str) -> int:
    """Bytes that came to a host so far."""
    return int(sh(ssi, node, "cat /sys/class/net/eth0/statistics/rx_bytes"))


def looks(ssi: Ssi, node: str, folder: str) -> str:
    return sh(ssi, node, LISTED.format(folder)) + sh(ssi, node, SUMS.format(folder))


def test_tree_goes_from_node_to_node_and_by_no_third(ssi: Ssi) -> None:
    before = received(ssi, "n3")
    sh(ssi, "n3", "ssi cp -a n1:/srv/copies n2:/srv/arrived")
    assert received(ssi, "n3") - before < 1_000_000, "3 MB went from n1 to n2"
    assert looks(ssi, "n2", "/srv/arrived") == looks(ssi, "n1", "/srv/copies")
    sh(ssi, "n1", "ssi cp -a /srv/copies n3:/srv")
    assert looks(ssi, "n3", "/srv/copies") == looks(ssi, "n1", "/srv/copies")


def test_machine_that_is_no_node_gives_and_takes(ssi: Ssi, tmp_path: Path) -> None:
    ssi.ok("cp", "-a", "n1:/srv/copies", str(tmp_path / "here"))
    assert (tmp_path / "here/d/299").read_text() == "299\n" * 299
    ssi.ok("cp", "-a", str(tmp_path / "here"), "n[2-3]:/srv/back")
    # This machine may have no user ada, to whom two of them belonged.
    foreign = "rm {0}/d/1 {0}/d/hard; touch -d @7 {0}/d"
    sh(ssi, "n1", f"cp -a /srv/copies /srv/same; {foreign.format('/srv/same')}")
    for node in ("n2", "n3"):
        sh(ssi, node, foreign.format("/srv/back"))
        assert looks(ssi, node, "/srv/back") == looks(ssi, "n1", "/srv/same")
    ssi.ok("cp", "n1:/srv/copies/d/1", "n2:/srv/back/d/2", str(tmp_path / "here/d/3"), "n3:/srv")
    assert sh(ssi, "n3", "cat /srv/1 /srv/2 /srv/3") == "1\n2\n2\n3\n3\n3\n"
    assert not [path.name for path in tmp_path.rglob(".*.ssi-*")]


def test_user_may_do_there_what_the_user_may(ssi: Ssi) -> None:
    sh(ssi, "n2", "echo secret > /srv/secret; chmod 600 /srv/secret; mkdir -m 755 /srv/roots")
    sh(ssi, "n1", "echo mine > /tmp/mine; chmod 640 /tmp/mine", user="ada")
    host = ssi.host("n1")
    for words, told in (
        (("n2:/srv/secret", "/tmp/stolen"), "n2:/srv/secret: Permission denied"),
        (("/tmp/mine", "n2:/srv/roots/mine"), "n2:/srv/roots/mine: Permission denied"),
        (("n2:/srv/secret", "n3:/tmp/stolen"), "n2:/srv/secret: Permission denied"),
        (
            ("n2:/srv", "n3:/no/srv"),
            "n2:/srv: it is a directory; -r copies it with all that is in it",
        ),
        (("n2:/etc/hosts", "n3:/no/y"), "n3:/no/y: its directory is not there"),
        (("n1:/etc/hosts", "n2:/no/y"), "n2:/no/y: its directory is not there"),
        (("n3:/no", "n1:/tmp/x"), "n3:/no: No such file or directory"),
        (("n1:/no", "n2:/tmp/x"), "n1:/no: No such file or directory"),
    ):
        run = host.run("ssi", "cp", *words, user="ada")
        assert (run.returncode, run.stderr.decode()) == (1, f"ssi: {told} [file-failed]\n"), run
    sh(ssi, "n1", "ssi cp /tmp/mine n2: && ssi cp -p n2:mine n3:mine", user="ada")
    assert sh(ssi, "n3", "stat -c '%U %a %n' /home/ada/*; cat /home/ada/mine").split() == [
        "ada", "640", "/home/ada/mine", "mine",
    ]  # fmt: skip
    sh(ssi, "n1", "rm /tmp/mine")
    for node in ("n2", "n3"):
        sh(ssi, node, "rm /home/ada/mine")


def test_full_disk_is_one_error_and_leaves_nothing(ssi: Ssi) -> None:
    sh(ssi, "n2", "mkdir /srv/small && mount -t tmpfs -o size=2m none /srv/small")
    for words in (("n1:/srv/copies/odd \n name", "n2:/srv/small/x"),):
        result = ssi("cp", *words)
        assert result.status == 51, result
        assert result.err.startswith("ssi: n2:/srv/small/x: no room: the file has 3.0 MB, ")
        assert result.err.count("\n") == 1
    assert sh(ssi, "n2", "ls -A /srv/small") == ""


def test_broken_copy_goes_on_when_the_link_is_back(ssi: Ssi) -> None:
    size = 24 << 20
    sh(ssi, "n1", f"head -c {size} /dev/urandom > /srv/big")
    # So slow that it is under way for certain when it is cut.
    sh(ssi, "n1", "tc qdisc replace dev eth0 root tbf rate 16mbit burst 256kb latency 50ms")
    part = "du -B1 /srv/.big.ssi-* 2>/dev/null | cut -f1"
    copying = ssi.start("cp", "--timeout", "15", "n1:/srv/big", "n2:/srv/big")
    try:
        eventually(lambda: int(sh(ssi, "n2", part) or 0) > 4 << 20, what="some of it is there")
        ssi.host("n1").cut()
        _, told = copying.communicate(timeout=100)
    finally:
        copying.kill()
        ssi.host("n1").heal()
        sh(ssi, "n1", "tc qdisc del dev eth0 root")
    assert copying.returncode == 4, told
    assert b"the file server of n1 has not answered for 15 s" in told
    assert sh(ssi, "n2", "ls -A /srv | grep big").startswith(".big.ssi-")
    eventually(lambda: ssi.states()["n1"] == "alive", what="n1 is back")
    eventually(
        lambda: ssi("run", "-n", "n2", "--", "ssi", "nodes").out.count("alive") == 3,
        what="n1 is back for n2",
    )
    before = received(ssi, "n2")
    ssi.ok("cp", "n1:/srv/big", "n2:/srv/big")
    assert received(ssi, "n2") - before < size - (3 << 20), "what was there did not come again"
    assert sh(ssi, "n2", "sha256sum < /srv/big") == sh(ssi, "n1", "sha256sum < /srv/big")
    assert sh(ssi, "n2", "ls -A /srv | grep big") == "big\n"


def test_files_of_several_nodes_are_listed_shown_and_followed(ssi: Ssi) -> None:
    for node in ("n1", "n2"):
        sh(ssi, node, f"printf '1\\n{node} two\\n' > /srv/log")
    assert ssi.ok("cat", "n1..2:/srv/log") == "1\nn1 two\n1\nn2 two\n"
    assert ssi.ok("ls", "n1:/srv/copies") == "d\nodd \\n name\nsparse\n"
    rows = {row["name"]: row for row in ssi.json("ls", "n1:/srv/copies/d")}
    assert rows["soft"]["target"] == "1" and rows["1"]["mode"] == "4750"
    assert len(rows) == 304
    result = ssi("cat", "n1:/proc/uptime")
    assert result.status == 1 and "`ssi run -n n1 -- cat /proc/uptime`" in result.err, result
    following = ssi.start("tail", "-n", "1", "-f", "n1..2:/srv/log")
    assert following.stdout is not None
    try:
        first = {following.stdout.readline() for _ in range(2)}
        assert first == {b"n1: n1 two\n", b"n2: n2 two\n"}
        sh(ssi, "n2", "echo three >> /srv/log")
        assert following.stdout.readline() == b"n2: three\n"
        sh(ssi, "n1", "mv /srv/log /srv/log.1; echo four > /srv/log")
        assert following.stdout.readline() == b"n1: four\n"
    finally:
        following.send_signal(signal.SIGINT)
        following.communicate(timeout=60)
    assert following.returncode == -signal.SIGINT


def test_words_are_completed_with_what_the_system_knows(ssi: Ssi) -> None:
    gpid = ssi.detached("n2", "sleep", "1000")

    def told(kind: str, word: str) -> dict[str, str]:
        run = subprocess.run(
            ssi.words("__complete", kind, "--", word),
            env={**ssi.environment, "SSI_COMPLETION_SECONDS": "60"},
            capture_output=True,
            timeout=100,
            check=True,
        )
        lines = run.stdout.decode().splitlines()
        return dict(line.split("\t") for line in lines)

    assert told("nodes", "n1,n") == {f"n1,n{number}": "node" for number in (1, 2, 3)}
    assert "sleep 1000 (running, n2)" in told("jobs", "")[gpid]
    assert "sleep 1000 (n2)" in told("gpids", gpid)[gpid]
    assert told("places", "n2") == {"n2:": "node"}
    assert told("places", "n1:/srv/cop") == {"n1:/srv/copies/": ""}
    assert told("places", "n1:/srv/copies/s") == {"n1:/srv/copies/sparse": ""}
    assert told("places", "n1:/srv/copies/d/so") == {"n1:/srv/copies/d/soft": ""}
    assert told("places", "n9:/") == {}
    ssi.ok("kill", gpid)
