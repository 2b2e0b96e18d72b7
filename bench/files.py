"""Files of another host by ``/ssi/n`` and by sshfs, between the same two hosts, in turns.

Goals: 1.5 times sshfs for large and for small files, 5 times for repeated stat and git status, and
a program of a remote root that starts again within 1.5 times of a local one.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from cluster import Cluster, cluster
from measure import Series, judge, need, ratio, show

ROUNDS = 3
LIMIT_S = 1800
OURS, THEIRS, LOCAL = "ssi", "sshfs", "local"
OURS_LONG, THEIRS_SHORT = "ssi 20 s", "sshfs 1 s"
ROOTS = {
    OURS: "/mnt/ssi",
    THEIRS: "/mnt/sshfs",
    OURS_LONG: "/mnt/ssi-20",
    THEIRS_SHORT: "/mnt/sshfs-1",
    LOCAL: "/",
}
EQUAL = {"1 s": (THEIRS_SHORT, OURS), "20 s": (THEIRS, OURS_LONG)}
"""sshfs believes what it has read for 20 s and lets the kernel believe it for 1 s; ours is 1 s."""

BELIEVED = (
    "dcache_timeout={0},dcache_stat_timeout={0},dcache_dir_timeout={0},dcache_link_timeout={0},"
    "entry_timeout={0},attr_timeout={0}"
)

PREPARE = """
mkdir -p /srv/bench && mount -t tmpfs none /srv/bench && cd /srv/bench
head -c 268435456 /dev/urandom > big
mkdir tree && cd tree
python3 - <<'END'
import os
for folder in range(100):
    os.mkdir(f"d{folder}")
    for number in range(100):
        with open(f"d{folder}/f{number}", "w") as file: file.write(f"{folder} {number}\\n" * 20)
END
git init -q . && git add . && git -c user.name=a -c user.email=a@b commit -qm all
sleep 1.2; git status --short
"""

PACK = """
mkdir -p /tmp/pack && cd /tmp/pack && python3 - <<'END'
import os
for folder in range(50):
    os.mkdir(f"d{folder}")
    for number in range(100):
        with open(f"d{folder}/f{number}", "w") as file: file.write(f"{number}\\n" * 200)
END
tar cf /tmp/small.tar .
"""

SSHFS = """
mkdir -p /root/.ssh /mnt/sshfs /mnt/sshfs-1
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/bench
"""

OPTIONS = (
    "IdentityFile=/root/.ssh/bench,StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null,"
    "Ciphers=aes128-gcm@openssh.com,Compression=no,auto_cache,dcache_max_size=50000"
)

GOALS = {
    "write 256 MiB": 1.5,
    "read 256 MiB": 1.5,
    "create 2000 small files": 1.5,
    "stat 2000": 5.0,
    "read 2000 small files": 1.5,
    "unlink 2000": 1.5,
    "git status, 10,000 files, rested": 5.0,
    "git status again": 5.0,
    "untar of 5,000 files": 1.5,
}
"""So many times as fast as sshfs."""

START = "start of python3 again"
START_BAR = 1.5


def main() -> int:
    need("ssh")
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="", help="steps whose names have this in them")
    parser.add_argument("--realtime", action="store_true", help="before all else on this machine")
    options = parser.parse_args()
    with cluster(2) as made:
        prepare(made)
        if options.realtime:
            prefer(made)
        series = measure(made, options.rounds, options.only, realtime=options.realtime)
    holds = [told(step, by_root) for step, by_root in series.items()]
    return 0 if all(holds) else 1


def prepare(made: Cluster) -> None:
    made.output(made.ssh("n2", PREPARE))
    made.output(made.ssh("n1", PACK))
    made.output(made.ssh("n1", SSHFS))
    key = made.output(made.ssh("n1", "cat", "/root/.ssh/bench.pub"))
    made.output(made.ssh("n2", f"mkdir -p /root/.ssh; echo '{key}' >> /root/.ssh/authorized_keys"))
    address = json.loads(made.ssi("nodes", "--json"))[1]["address"]
    made.output(made.ssh("n1", f"sshfs -o {OPTIONS} root@{address}:/ {ROOTS[THEIRS]}"))
    short = f"{OPTIONS},{BELIEVED.format(1)}"
    made.output(made.ssh("n1", f"sshfs -o {short} root@{address}:/ {ROOTS[THEIRS_SHORT]}"))
    # As on a real machine; the mounts of this lab's agents are older than that.
    made.output(made.ssh("n1", "mount -o remount,rw /sys && mkdir /mnt/ssi /mnt/ssi-20"))
    made.ssi("mount", "n2", ROOTS[OURS], "--on", "n1")
    made.ssi("mount", "n2", ROOTS[OURS_LONG], "--on", "n1", "--cache", "20")
    made.output(made.ssh("n1", "mkdir -p /srv/bench && mount -t tmpfs none /srv/bench"))
    made.output(made.ssh("n2", "cp -a /srv/bench/. /ssi/n/n1/srv/bench"))


def prefer(made: Cluster) -> None:
    """Whatever serves either mount runs in real time."""
    names = "ssi-mounts|ssi-files|sshfs|sshd|ssh$|sftp"
    for host in made.hosts:
        line = f"for p in $(pgrep '{names}'); do chrt -a -f -p 10 $p; done; true"
        made.output(made.ssh(host, line))


def measure(
    made: Cluster, rounds: int, only: str, *, realtime: bool
) -> dict[str, dict[str, Series]]:
    roots = [shlex.quote(word) for name, root in ROOTS.items() for word in (name, root)]
    before = ["chrt", "-f", "10"] if realtime else []
    words = made.ssh("n1", *before, "python3", "-", str(rounds), shlex.quote(only), *roots)
    program = Path(__file__).with_name("filework.py").read_bytes()
    done = subprocess.run(words, input=program, capture_output=True, timeout=LIMIT_S, check=False)
    if done.returncode:
        sys.exit(done.stderr.decode())
    series: dict[str, dict[str, Series]] = defaultdict(lambda: defaultdict(Series))
    for line in done.stdout.splitlines():
        step, root, taken_s = json.loads(line)
        series[step][root].values.append(taken_s * 1000)
    return series


def told(step: str, by_root: dict[str, Series]) -> bool:
    """Shows a step, and whether its goal is met; True where it has none."""
    print(f"\n{step}")
    show(by_root)
    if step == START:
        return judge("to local", ratio(by_root[OURS], by_root[LOCAL]), START_BAR)
    if THEIRS not in by_root:
        return True
    for believed, (theirs, ours) in EQUAL.items():
        if theirs in by_root and ours in by_root and "stat" in step:
            faster = ratio(by_root[theirs], by_root[ours])
            print(f"{faster:.2f} times sshfs where both believe for {believed}")
    faster = ratio(by_root[THEIRS], by_root[OURS])
    if step not in GOALS:
        print(f"{faster:.2f} times sshfs")
        return True
    holds = faster >= GOALS[step]
    print(f"{faster:.2f} times sshfs, goal {GOALS[step]:g}: {'holds' if holds else 'MISSED'}")
    return holds


if __name__ == "__main__":
    sys.exit(main())
