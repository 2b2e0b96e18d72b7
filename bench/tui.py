"""`ssi top` over 10,000 processes of 8 nodes, once a second; and beside htop on this machine.

The nodes are played by one process behind a real door, so that what is measured is the face alone:
each second a twentieth of the processes has used CPU. Keys are typed into a real pseudo-terminal
of 160 by 50, and the time counts until the screen says something.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import pty
import random
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from ending import ending
from measure import judge, need

from nodeagent.tablelog import TableLog
from ssi.model.counters import HostCounters
from ssi.model.node import NodeMetrics, NodeRow, NodeState
from ssi.model.process import ProcessRow
from ssi.protocol.codec import decode_request_body, encode_reply_body
from ssi.protocol.envelope import Failure, Reply, Request
from ssi.protocol.system import ListNodes, NodeList
from ssi.protocol.table import TableChange, WatchProcesses
from ssi.transport.door import Door, DoorUser

NODES = 8
WINDOW_S = 20.0
KEYS = 300
DOWN, UP, PAGE, HOME = b"\x1b[B", b"\x1b[A", b"\x1b[6~", b"\x1b[H"
BUSY_SHARE = 0.05
COMMAND = ("/usr/lib/postgresql/15/bin/postgres", "-D", "/var/lib/postgresql", "--session=")


class Nodes:
    """All nodes, with so many processes together."""

    def __init__(self, processes: int) -> None:
        self._random = random.Random(7)
        each = processes // NODES
        self._rows = {f"n{n}": [make_row(n, i) for i in range(each)] for n in range(1, NODES + 1)}
        self._logs = {name: TableLog() for name in self._rows}

    async def answer(self, request: Request, _user: DoorUser) -> Reply | Failure:
        body = decode_request_body(request.body)
        if isinstance(body, ListNodes):
            rows = tuple(make_node(n) for n in range(1, NODES + 1))
            return Reply(request.id, encode_reply_body(NodeList(observer="n1", rows=rows)))
        assert isinstance(body, WatchProcesses), body
        return Reply(request.id, encode_reply_body(self._change(request.target, body)))

    def _change(self, name: str, body: WatchProcesses) -> TableChange:
        rows = self._rows[name]
        for index in self._random.sample(range(len(rows)), int(len(rows) * BUSY_SHARE)):
            used = rows[index].cpu_s + self._random.random() * 0.3
            rows[index] = msgspec.structs.replace(rows[index], cpu_s=used, state="R")
        self._logs[name].observe(rows)
        change = self._logs[name].since(body.table, body.since)
        return TableChange(
            node=name,
            taken_at_s=time.time(),
            table=self._logs[name].name,
            version=change.version,
            whole=change.whole,
            rows=tuple(change.rows),
            gone=tuple(change.gone),
            counters=HostCounters(taken_at_s=time.monotonic(), cores=((1, 2),) * 8),
        )


def make_row(node: int, index: int) -> ProcessRow:
    return ProcessRow(
        gpid=node * 10_000_000 + 1000 + index,
        pid=1000 + index,
        parent_gpid=node * 10_000_000 + 1000 + index // 10,
        start_ms=index,
        started_at_s=1e9,
        user=("root", "ada", "postgres")[index % 3],
        state="S",
        nice=0,
        threads=4,
        tty="?",
        cpu_s=float(index % 100),
        cpu_percent=0.1,
        rss_bytes=(index % 500) << 20,
        vsize_bytes=1 << 30,
        name="postgres",
        command=(*COMMAND, str(index)),
    )


def make_node(number: int) -> NodeRow:
    metrics = NodeMetrics(
        taken_at_s=time.time(),
        uptime_s=1e5,
        cores=8,
        load=(1.0, 1.0, 1.0),
        memory_total_bytes=64 << 30,
        memory_available_bytes=32 << 30,
        swap_total_bytes=0,
        swap_free_bytes=0,
        disk_total_bytes=1 << 40,
        disk_free_bytes=1 << 39,
    )
    return NodeRow(
        name=f"n{number}",
        number=number,
        address=f"10.0.0.{number}",
        state=NodeState.ALIVE,
        age_s=0.1,
        metrics=metrics,
    )


async def serve(path: Path, processes: int) -> None:
    door = Door(Nodes(processes).answer)
    await door.open(path, 0o600)
    print("open", flush=True)
    await asyncio.Event().wait()


@contextmanager
def nodes(processes: int) -> Iterator[Path]:
    """A door to so many processes."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "door.sock")
        words = [sys.executable, __file__, "--serve", str(path), "--processes", str(processes)]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            server.stdout.readline()
            try:
                yield path
            finally:
                server.terminate()


class Terminal:
    """A program in a pseudo-terminal of 160 by 50."""

    def __init__(self, words: Sequence[str], environment: dict[str, str]) -> None:
        self.began_s = time.monotonic()
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            if environment.get("REALTIME"):
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
            os.execvpe(words[0], [*words], {**os.environ, "TERM": "xterm-256color", **environment})
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("4H", 50, 160, 0, 0))

    def read(self, patience_s: float) -> bytes:
        """What is shown next; nothing where nothing is for so long."""
        ready, _, _ = select.select([self._master], [], [], patience_s)
        return os.read(self._master, 1 << 20) if ready else b""

    def see(self, text: bytes, patience_s: float = 60.0) -> float:
        """After how long since its start the program has shown a text."""
        shown = b""
        give_up_at_s = time.monotonic() + patience_s
        while text not in shown:
            assert time.monotonic() < give_up_at_s, shown[-500:]
            shown = shown[-10_000:] + self.read(0.5)
        return time.monotonic() - self.began_s

    def drain(self, seconds: float) -> int:
        """Reads along for so long; how many bytes came."""
        count, until_s = 0, time.monotonic() + seconds
        while (rest_s := until_s - time.monotonic()) > 0:
            count += len(self.read(rest_s))
        return count

    def key_ms(self, key: bytes) -> float:
        """How long a key takes to show."""
        while self.read(0.0):
            pass
        began_s = time.monotonic()
        os.write(self._master, key)
        assert self.read(10.0), key
        return (time.monotonic() - began_s) * 1000

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * 4096 / 1e6

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._master)


def top(door: Path) -> Terminal:
    words = [sys.executable, "-m", "ssi.cli", "top"]
    realtime = "1" if "--realtime" in sys.argv else ""
    return Terminal(words, {"SSI_DOOR": str(door), "SSI_COLD": "1", "REALTIME": realtime})


def cpu_percent(terminal: Terminal) -> float:
    before_s, began_s = terminal.cpu_s(), time.monotonic()
    terminal.drain(WINDOW_S)
    return 100 * (terminal.cpu_s() - before_s) / (time.monotonic() - began_s)


def first_paint_s(rounds: int) -> float:
    taken = []
    with nodes(1000) as door:
        for _ in range(rounds):
            terminal = top(door)
            taken.append(terminal.see(b"postgres"))
            terminal.end()
    print("first paint, s:", " ".join(f"{each:.2f}" for each in sorted(taken)))
    return statistics.median(taken)


def large_table() -> tuple[float, float, float]:
    """CPU in percent of a core, memory in MB, and p99 of keys in ms."""
    with nodes(10_000) as door:
        terminal = top(door)
        terminal.see(b"postgres")
        terminal.drain(5.0)
        percent = cpu_percent(terminal)
        wait = random.Random(3)
        taken = []
        for number in range(KEYS):
            taken.append(terminal.key_ms(key_of(number)))
            terminal.drain(0.03 + wait.random() * 0.05)
        memory = terminal.rss_mb()
        terminal.end()
    taken.sort()
    print(f"keys, ms: median {taken[len(taken) // 2]:.1f}, p90 {taken[int(len(taken) * 0.9)]:.1f}")
    return percent, memory, taken[int(len(taken) * 0.99)]


def key_of(number: int) -> bytes:
    """Moves, now and then another order, and then back to the top: none of them changes nothing.

    At either end of the table a move would not show, and only the next look would be waited for.
    """
    if number % 48 == 47:
        return (b"M", b"P")[number // 48 % 2]
    return HOME if number and number % 48 == 0 else (DOWN, DOWN, PAGE, UP)[number % 4]


def beside_htop() -> None:
    """CPU of htop and of ``ssi top`` for one node with this machine's own processes."""
    need("htop")
    htop = Terminal(["htop", "-d", "10"], {})
    htop.drain(3.0)
    percent, memory = cpu_percent(htop), htop.rss_mb()
    htop.end()
    count = sum(path.name.isdigit() for path in Path("/proc").iterdir())
    print(f"htop, {count} processes of this machine: {percent:.1f} % of a core, {memory:.0f} MB")
    with nodes(max(count, NODES)) as door:
        ours = top(door)
        ours.see(b"postgres")
        ours.drain(3.0)
        percent, memory = cpu_percent(ours), ours.rss_mb()
        ours.end()
    print(f"ssi top, as many processes: {percent:.1f} % of a core, {memory:.0f} MB")


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--serve", type=Path)
    arguments.add_argument("--processes", type=int, default=10_000)
    arguments.add_argument("--rounds", type=int, default=7)
    told = "the program runs with real-time priority, for other work not to be measured"
    arguments.add_argument("--realtime", action="store_true", help=told)
    chosen = arguments.parse_args()
    if chosen.serve is not None:
        asyncio.run(serve(chosen.serve, chosen.processes))
        return 0
    ending.by_signals()
    load = os.getloadavg()
    print(f"load of this machine: {load[0]:.1f} on {os.cpu_count()} cores")
    paint_s = first_paint_s(chosen.rounds)
    percent, memory, p99_ms = large_table()
    beside_htop()
    held = [
        judge("first paint of 1,000 rows", paint_s, 1.0, " s"),
        judge("CPU at 10,000 rows", percent, 10.0, " %"),
        judge("memory at 10,000 rows", memory, 120.0, " MB"),
        judge("p99 of a key at 10,000 rows", p99_ms, 50.0, " ms"),
    ]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
