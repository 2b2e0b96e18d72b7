"""Eight nodes read a file of a ninth at once, by ``/ssi/n`` and by sshfs, in turns.

Each must read every byte as it is, and afterwards neither the server nor a mount holds more than
before. What is compared is the time until the last of the eight has read all.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from cluster import Cluster, cluster
from files import OPTIONS, SSHFS
from measure import Series, judge, need, ratio, show

READERS = 8
ROUNDS = 3
LIMIT_S = 600
SETTLE_S = 60
OURS, THEIRS = "/ssi/n/n1", "/mnt/sshfs"

PREPARE = """
mkdir -p /srv/bench && mount -t tmpfs none /srv/bench
head -c {size} /dev/urandom > /srv/bench/big && sha256sum < /srv/bench/big
"""

HELD = "for p in $(pgrep -x '{name}'); do ls -l /proc/$p/fd; done | grep -cv 'socket:\\|anon_inode'"
"""Descriptors, but for what ZeroMQ has of its own, which comes and goes with connections."""


def main() -> int:
    need("ssh")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--mib", type=int, default=256, help="size of the file")
    options = parser.parse_args()
    with cluster(READERS + 1) as made:
        digest = prepare(made, options.mib << 20)
        before = held(made)
        series = {THEIRS: Series(), OURS: Series()}
        for _ in range(options.rounds):
            for root, found in series.items():
                found.values.append(together_ms(made, root, digest))
        show(series)
        print(f"{READERS} times {options.mib} MiB: each byte as it is, in all rounds")
        holds = judge("to sshfs", ratio(series[OURS], series[THEIRS]), 1.0)
        return 0 if given_back(made, before) and holds else 1


def prepare(made: Cluster, size: int) -> str:
    """The file and the mounts; the checksum of the file."""
    made.output(made.ssh("n1", "mkdir -p /root/.ssh"))
    digest = made.output(made.ssh("n1", PREPARE.format(size=size)))
    address = made.output(made.ssh("n1", "hostname -I")).split()[0]
    for reader in made.hosts[1:]:
        made.output(made.ssh(reader, SSHFS))
        key = made.output(made.ssh(reader, "cat", "/root/.ssh/bench.pub"))
        made.output(made.ssh("n1", f"echo '{key}' >> /root/.ssh/authorized_keys"))
        made.output(made.ssh(reader, f"sshfs -o {OPTIONS} root@{address}:/ {THEIRS}"))
    return digest


def together_ms(made: Cluster, root: str, digest: str) -> float:
    """How long it takes until all have read the file; it is not in their memory before."""
    line = f"sha256sum < {root}/srv/bench/big"
    forget = (
        "import os,sys; f=os.open(sys.argv[1],0); os.posix_fadvise(f,0,0,os.POSIX_FADV_DONTNEED)"
    )
    for reader in made.hosts[1:]:
        made.output(made.ssh(reader, f"python3 -c '{forget}' {root}/srv/bench/big"))
    started_s = time.perf_counter()
    readers = [
        subprocess.Popen(made.ssh(reader, line), stdout=subprocess.PIPE, text=True)
        for reader in made.hosts[1:]
    ]
    told = [reader.communicate(timeout=LIMIT_S)[0] for reader in readers]
    taken_ms = (time.perf_counter() - started_s) * 1000
    wrong = [name for name, found in zip(made.hosts[1:], told, strict=True) if found != digest]
    if wrong:
        sys.exit(f"{root}: {', '.join(wrong)} read other bytes than there are")
    return taken_ms


def held(made: Cluster) -> int:
    """Descriptors of the server and of all readers' mounts."""
    counts = [made.output(made.ssh("n1", HELD.format(name="ssi-files")))]
    counts += [
        made.output(made.ssh(name, HELD.format(name="ssi-mounts"))) for name in made.hosts[1:]
    ]
    return sum(map(int, counts))


def given_back(made: Cluster, before: int) -> bool:
    """Whether after a while no more descriptors are open than before."""
    until_s = time.monotonic() + SETTLE_S
    while (now := held(made)) > before and time.monotonic() < until_s:
        time.sleep(1)
    print(f"descriptors of server and mounts: {before} before, {now} after")
    return now <= before


if __name__ == "__main__":
    sys.exit(main())
