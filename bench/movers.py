"""Ways to move a process between two hosts, each as one command whose time counts.

The process tells by itself how long it did not run. Half of its memory is random, half is text as
programs hold it, which zstd makes four times smaller.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from dataclasses import dataclass, field
from typing import Protocol

from cluster import SSI, Cluster
from measure import command_ms

IMAGES = "/run/bench"
LINK_PORT = 7999
TICK_LIMIT_MS = 3.0
"""Shorter gaps between two ticks are the scheduler's."""

PROGRAM = """
import mmap, os, random, sys, time
gaps, mib, ready = sys.argv[1], int(sys.argv[2]), sys.argv[3]
text = "".join(f'{{"id": {n}, "name": "user-{random.random()}"}}' for n in range(26000))
text = text.encode()[: 1 << 20]
block = mmap.mmap(-1, max(mib, 1) << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for number in range(mib):
    piece = os.urandom(1 << 20) if number % 2 else text[number:] + text[:number]
    block[number << 20 : (number + 1) << 20] = piece
open(ready, "w").close()
last = time.time()
while True:
    time.sleep(0.001)
    now = time.time()
    if now - last > 0.003:
        with open(gaps, "a") as log:
            log.write(f"{(now - last) * 1000}\\n")
    last = now
"""

SEND = """
import os, socket, sys
count = int(sys.argv[3])
out = socket.create_connection((sys.argv[1], int(sys.argv[2])))
block = memoryview(os.urandom(1 << 20))
while count > 0:
    count -= out.send(block[: min(count, len(block))])
out.shutdown(socket.SHUT_WR)
out.recv(1)
"""

TAKE = """
import socket, sys
server = socket.create_server(("", int(sys.argv[1])))
block = bytearray(1 << 20)
while True:
    peer, _ = server.accept()
    while peer.recv_into(block):
        pass
    peer.close()
"""


class Mover(Protocol):
    """One way to move the process that it has started."""

    name: str

    def start(self, mib: int) -> None:
        """Starts a process with so much memory on n1; returns once it has touched all of it."""

    def move(self, source: str, target: str) -> float:
        """Moves it; how long that took in ms."""

    def stop(self) -> None:
        """Ends it."""


def put_programs(made: Cluster) -> None:
    """What the movers run lies on every host."""
    for host in made.hosts:
        for name, text in (("grower", PROGRAM), ("send", SEND), ("take", TAKE)):
            write = made.ssh(host, f"cat > /root/{name}.py")
            subprocess.run(write, input=text.encode(), check=True, timeout=30)


def gap_ms(made: Cluster, mover: Mover, host: str) -> float:
    """The longest time that the moved process did not run, as it says itself."""
    gaps = made.output(made.ssh(host, f"cat /root/gaps.{mover.name}")).split()
    return max(map(float, gaps))


def command_of(name: str, mib: int) -> list[str]:
    return ["python3", "/root/grower.py", f"/root/gaps.{name}", str(mib), f"/run/ready.{name}"]


def await_ready(made: Cluster, name: str) -> None:
    """The memory has been touched."""
    look = f"for i in $(seq 600); do test -e /run/ready.{name} && exit 0; sleep 0.1; done; exit 1"
    made.output(made.ssh("n1", look))
    time.sleep(0.5)


@dataclass(slots=True)
class Ssi:
    """A job that moves by one command.

    Attributes:
        live: The option of that name.
        reports: What each move said of itself.
    """

    made: Cluster
    name: str = "ssi"
    live: str = "stop"
    reports: list[dict[str, object]] = field(default_factory=list)
    _gpid: str = ""

    def start(self, mib: int) -> None:
        self.made.output(self.made.ssh("n1", f"rm -f /run/ready.{self.name}"))
        words = ["run", "-n", "n1", "--detach", "--cwd", "/root", "--"]
        self._gpid = self.made.ssi(*words, *command_of(self.name, mib)).strip()
        await_ready(self.made, self.name)

    def move(self, source: str, target: str) -> float:
        words = [SSI, "migrate", "--json", self._gpid, target]
        words += ["--live", self.live] if self.live != "stop" else []
        started = time.perf_counter()
        told = self.made.output(words)
        elapsed_ms = (time.perf_counter() - started) * 1000
        self.reports += json.loads(told)
        return elapsed_ms

    def stop(self) -> None:
        self.made.ssi("kill", "-9", self._gpid)


@dataclass(slots=True)
class Script:
    """A process that moves by dump, tar through open ssh connections, and restore."""

    made: Cluster
    name: str = "script"
    _pid: str = ""
    _host: str = "n1"

    def start(self, mib: int) -> None:
        self.made.output(self.made.ssh("n1", f"rm -f /run/ready.{self.name}"))
        start = (
            "echo 30000 > /proc/sys/kernel/ns_last_pid; "  # where the others have none
            f"setsid {' '.join(command_of(self.name, mib))} </dev/null >/dev/null 2>&1 & echo $!"
        )
        self._pid = self.made.output(self.made.ssh("n1", start)).strip()
        self._host = "n1"
        await_ready(self.made, self.name)

    def move(self, source: str, target: str) -> float:
        flags = f"-D {IMAGES} --manage-cgroups=ignore"
        fresh = f"rm -rf {IMAGES}; mkdir -p {IMAGES}"
        send = self._on(source, f"tar -C {IMAGES} -cf - .")
        take = self._on(target, f"{fresh}; tar -C {IMAGES} -xf -")
        dump = self._on(source, f"{fresh}; criu dump -t {self._pid} {flags}")
        restore = self._on(target, f"criu restore -d {flags}")
        script = f"set -e -o pipefail; {dump}; {send} | {take}; {restore}"
        elapsed_ms = command_ms(["bash", "-c", script])
        self._host = target
        for host in (source, target):
            self.made.output(self.made.ssh(host, f"rm -rf {IMAGES}"))
        return elapsed_ms

    def stop(self) -> None:
        self.made.output(self.made.ssh(self._host, f"kill -9 {self._pid}"))

    def _on(self, host: str, line: str) -> str:
        return shlex.join(self.made.ssh(host, line))


class LinkCopy:
    """As many bytes through a bare TCP connection, from memory to memory; nothing moves."""

    def __init__(self, made: Cluster) -> None:
        self._made = made
        for host in made.hosts:
            start = f"setsid python3 /root/take.py {LINK_PORT} </dev/null >/dev/null 2>&1 &"
            made.output(made.ssh(host, start))

    def copy_ms(self, source: str, target: str, size_bytes: int) -> float:
        """How long it takes, the start of the sender left out."""
        address = self._made.lab.host(target).address
        line = f"python3 /root/send.py {address} {LINK_PORT}"
        empty_ms = command_ms(self._made.ssh(source, f"{line} 0"))
        return max(command_ms(self._made.ssh(source, f"{line} {size_bytes}")) - empty_ms, 0.1)
