"""Moves that are held at a named point, and what then befalls a host of theirs."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nodeagent.migration.hold import Point
from ssi.lab import Host
from ssi.lab.process import namespace_pids
from tests.hosts.oracle import DIRECTORY, Oracle
from tests.hosts.system import COMMAND_TIMEOUT_S, PATIENCE_S, Ssi, eventually, pid_of

HOLDS = "var/hold"

SETTLED_WITHIN_S = 2 * PATIENCE_S

CUT_S = 8.0
"""Longer than any connection takes to notice."""


@dataclass(slots=True)
class Cell:
    """One job that is held at one point of its move."""

    ssi: Ssi
    source: str
    destination: str
    point: Point
    oracle: Oracle
    gpid: str = ""
    client: subprocess.Popen[bytes] | None = None
    outcome: int | None = None
    words: str = ""

    def __str__(self) -> str:
        return f"{self.source} -> {self.destination} at {self.point}"

    @property
    def side(self) -> str:
        """The node on which it is held."""
        return self.source if self.point.startswith("source") else self.destination

    def has_told(self) -> bool:
        """Whether the command that asked for the move has ended."""
        assert self.client is not None
        return self.client.poll() is not None

    def ask_for_hold(self, point: Point) -> None:
        """The move will stop there."""
        node = self.source if point.startswith("source") else self.destination
        Path(self.ssi.host(node).root, HOLDS, f"{self.gpid}.{point}").touch()

    def is_held(self, point: Point) -> bool:
        """Whether it stands there."""
        node = self.source if point.startswith("source") else self.destination
        return Path(self.ssi.host(node).root, HOLDS, f"{self.gpid}.{point}.held").exists()

    def let_go(self) -> None:
        """It goes on, where it still can."""
        for node in (self.source, self.destination):
            host = self.ssi.host(node)
            if host.alive:
                for file in Path(host.root, HOLDS).glob(f"{self.gpid}.*"):
                    file.unlink(missing_ok=True)

    def copies(self) -> list[str]:
        """The nodes on which a process of it is."""
        token = f"\0{self.oracle.name}\0".encode()
        return [
            host.name
            for host in self.ssi.lab.hosts
            if host.alive
            for pid in pids_of(host)
            if token in command_of(pid)
        ]

    def goes_on(self, node: str) -> bool:
        """Whether it does another step there, for which it has a hundred times as long as it takes.

        That another try is made later is no matter: all others have to stand the same one.
        """
        before = self.oracle.steps_on(node)
        give_up_at_s = time.monotonic() + 5.0
        while self.oracle.steps_on(node) == before and time.monotonic() < give_up_at_s:
            time.sleep(0.02)
        return self.oracle.steps_on(node) != before


def pids_of(host: Host) -> list[int]:
    """All its processes, as this machine calls them."""
    found: list[int] = []
    for directory, _below, files in os.walk(host.cgroup.path):
        if "cgroup.procs" in files:
            with contextlib.suppress(OSError):
                found += [int(pid) for pid in Path(directory, "cgroup.procs").read_text().split()]
    return found


def command_of(pid: int) -> bytes:
    """Its arguments, each ended by a zero; empty where it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def criu_at(pid: int) -> bytes:
    """What a CRIU is at, by its command line or by the title that it gives itself; else empty."""
    name, *rest = re.split(rb"\0|: ", command_of(pid))
    return rest[0] if name.endswith(b"criu") else b""


def kill_criu(host: Host, verb: bytes = b"") -> int:
    """Kills each CRIU there that is at this work; how many there were."""
    killed = 0
    for pid in pids_of(host):
        if (at := criu_at(pid)) and at.startswith(verb):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
    return killed


@contextlib.contextmanager
def standing_criu(host: Host, verb: bytes) -> Iterator[None]:
    """Each CRIU there that is at this work stands still meanwhile; there is one at least."""
    pids = [pid for pid in pids_of(host) if criu_at(pid).startswith(verb)]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def arm(ssi: Ssi, node: str) -> None:
    """Starts keeper and agent of a node again, so that moves can be held there."""
    host = ssi.host(node)
    keeper = str(pid_of(host, "keeper"))
    words = Path(host.root, "proc", keeper, "cmdline").read_bytes().decode().split("\0")[:-1]
    environment = Path(host.root, "proc", keeper, "environ").read_bytes().decode().split("\0")[:-1]
    Path(host.root, HOLDS).mkdir(exist_ok=True)
    old = pid_of(host, "agent")
    # Stopped first: an agent whose keeper is killed starts another, which may come before ours.
    host.enter("kill", "-STOP", str(old))
    host.enter("kill", "-KILL", keeper, str(old))
    setting = f"SSI_HOLD_DIR=/{HOLDS}"
    started = host.enter(
        *("sh", "-c", 'setsid "$@" </dev/null >/dev/null 2>&1 &', "sh"),
        *("env", "-i", *environment, setting, *words),
    )
    assert started.returncode == 0, started
    eventually(lambda: answers(ssi, node, old), what=f"{node} answers again")
    agent = str(pid_of(host, "agent"))
    assert setting.encode() in Path(host.root, "proc", agent, "environ").read_bytes()


def answers(ssi: Ssi, node: str, not_pid: int) -> bool:
    """Whether another agent than that answers there."""
    try:
        if pid_of(ssi.host(node), "agent") == not_pid:
            return False
    except (FileNotFoundError, IndexError):
        return False
    return ssi("ps", "-n", node, "--timeout", "2").status == 0


@dataclass(slots=True)
class Round:
    """Several moves, each held at its own point, and one blow that strikes them all."""

    ssi: Ssi
    cells: list[Cell] = field(default_factory=list)

    def begin(self, ways: list[tuple[str, str]], points: list[Point]) -> None:
        """Starts a job for each way and point, and holds its move there."""
        for source, destination in ways:
            for point in points:
                name = f"o{os.getpid()}-{len(self.cells)}-{time.monotonic_ns()}"
                oracle = Oracle(self.ssi, name)
                self.cells.append(Cell(self.ssi, source, destination, point, oracle))
        started = [
            self.ssi.start("run", "-n", cell.source, "--detach", "--", *cell.oracle.argv)
            for cell in self.cells
        ]
        for cell, run in zip(self.cells, started, strict=True):
            out, err = run.communicate(timeout=COMMAND_TIMEOUT_S)
            assert run.returncode == 0, err
            cell.gpid = out.decode().strip()
        for cell in self.cells:
            eventually(cell.oracle.traces, what=f"{cell} runs")
            needs_failure = cell.point in {Point.SOURCE_ABANDON, Point.DESTINATION_DROP}
            if needs_failure:
                cell.ask_for_hold(Point.SOURCE_DUMP)
            cell.ask_for_hold(cell.point)
            cell.client = self.ssi.start("migrate", cell.gpid, cell.destination)
        for cell in self.cells:
            if cell.point in {Point.SOURCE_ABANDON, Point.DESTINATION_DROP}:
                self._await(cell, Point.SOURCE_DUMP)
                self._spoil(cell)
        for cell in self.cells:
            self._await(cell, cell.point)

    def begin_free(self, source: str, destination: str, *, memory_mib: int) -> None:
        """Starts one job of so much memory, and a move of it that is not held."""
        oracle = Oracle(self.ssi, f"o{os.getpid()}-{time.monotonic_ns()}", memory_mib)
        cell = Cell(self.ssi, source, destination, Point.SOURCE_DUMP, oracle)
        self.cells.append(cell)
        cell.gpid = self.ssi.detached(source, *oracle.argv)
        eventually(oracle.traces, what=f"{cell} runs")
        cell.client = self.ssi.start("migrate", cell.gpid, destination)

    def _await(self, cell: Cell, point: Point) -> None:
        eventually(
            lambda: cell.is_held(point) or _told(cell),
            what=f"{cell} is held",
        )
        assert cell.is_held(point), (str(cell), _told(cell))

    def _spoil(self, cell: Cell) -> None:
        """The destination loses what it was sent, so that the move is abandoned."""
        images = Path(self.ssi.host(cell.destination).root, "run/ssi/images")
        for directory in images.glob(f"{cell.gpid}-*"):
            for file in directory.iterdir():
                file.unlink()
            directory.rmdir()
        held = f"{cell.gpid}.{Point.SOURCE_DUMP}.held"
        Path(self.ssi.host(cell.source).root, HOLDS, held).unlink()

    def let_go(self) -> None:
        """All that are held go on."""
        for cell in self.cells:
            cell.let_go()

    def finish(self, lost: Callable[[Cell], bool]) -> list[str]:
        """Waits for all to settle; what did not hold, a line each.

        Args:
            lost: Whether who had the job died, so that none may be left of it.
        """
        for cell in self.cells:
            assert cell.client is not None
            out, err = cell.client.communicate(timeout=120)
            cell.outcome, cell.words = cell.client.returncode, (out + err).decode().strip()
        wrong: list[str] = [""]
        give_up_at_s = time.monotonic() + SETTLED_WITHIN_S
        while wrong and time.monotonic() < give_up_at_s:
            wrong = self._wrong(lost)
            time.sleep(0.3 if wrong else 0)
        return wrong + [fault for cell in self.cells for fault in cell.oracle.faults()]

    def _wrong(self, lost: Callable[[Cell], bool]) -> list[str]:
        rows = self.ssi.json("jobs")
        processes = {str(row["gpid"]): row["node"] for row in self.ssi.json("ps", "--jobs")}
        found = []
        for cell in self.cells:
            mine = [row for row in rows if str(row["gpid"]) == cell.gpid]
            told = [f"{row['state']} on {row['node']}" for row in mine]
            ends = [row for row in mine if row["state"] in {"exited", "lost"}]
            ended = [(row["exit_status"], row["ended_at_s"], row["problem"]) for row in ends]
            said = str(self.ssi("logs", cell.gpid)) if ended else ""
            copies = cell.copies()
            alive = [row["node"] for row in mine if row["state"] == "running"]
            is_lost = not copies and told and all(each.startswith("lost") for each in told)
            if is_lost and lost(cell):
                continue
            if len(copies) != 1 or alive != copies or len(mine) != 1:
                found.append(
                    f"{cell}: copies on {copies}, told as {told}{ended} {said}; {cell.words}"
                )
            elif cell.outcome == 0 and alive != [cell.destination]:
                found.append(f"{cell}: said to have moved and is on {alive}")
            elif cell.outcome in {26, 27} and alive != [cell.source]:
                found.append(f"{cell}: said to be at its source and is on {alive}; {cell.words}")
            elif processes.get(cell.gpid) != alive[0]:
                found.append(f"{cell}: its process has another name, or is not seen on {alive}")
            elif not cell.goes_on(alive[0]):
                found.append(f"{cell}: does not go on on {alive}")
        return found + self._left_over()

    def _left_over(self) -> list[str]:
        """Images, shims, CRIUs, sockets, records and cgroups of which no job is."""
        found = []
        for host in self.ssi.lab.hosts:
            living = {cell.gpid for cell in self.cells if host.name in cell.copies()}
            ours = {cell.gpid for cell in self.cells}
            if criu := sum(bool(criu_at(pid)) for pid in pids_of(host)):
                found.append(f"{host.name}: {criu} criu")
            images = [path.name for path in Path(host.root, "run/ssi/images").iterdir()]
            found += [f"{host.name}: images {each}" for each in images]
            sockets = {path.name for path in Path(host.root, "run/ssi/jobs").iterdir()}
            found += [f"{host.name}: socket of {each}" for each in sockets & ours - living]
            groups = {path.name[4:] for path in Path(host.cgroup.path).rglob("job-*")}
            found += [f"{host.name}: cgroup of {each}" for each in groups & ours - living]
        return found

    def clear(self) -> None:
        """Ends all the jobs, and removes their traces."""
        self.let_go()
        for cell in self.cells:
            if cell.client is not None and cell.client.poll() is None:
                cell.client.kill()
                cell.client.communicate()
        self.ssi("kill", "-s", "KILL", *(cell.gpid for cell in self.cells))
        for host in self.ssi.lab.hosts:
            host.enter("rm", "-rf", f"/{DIRECTORY}")


def _told(cell: Cell) -> str:
    """What its command said, where it has ended already."""
    assert cell.client is not None
    if cell.client.poll() is None:
        return ""
    out, err = cell.client.communicate()
    return (out + err).decode() or "it has ended"


@contextlib.contextmanager
def move_held(
    ssi: Ssi, gpid: str, destination: str, node: str, point: Point
) -> Iterator[subprocess.Popen[bytes]]:
    """The command of a move that stands at a point, on a node that is armed, for the block."""
    asked = Path(ssi.host(node).root, HOLDS, f"{gpid}.{point}")
    asked.touch()
    stands = asked.with_name(f"{asked.name}.held")
    command = ssi.start("migrate", gpid, destination)
    try:
        eventually(stands.exists, what="it is held")
        yield command
    finally:
        stands.unlink(missing_ok=True)


@contextlib.contextmanager
def in_doubt(ssi: Ssi, gpid: str) -> Iterator[None]:
    """A job of n1 was given to n2, which stands still since then, for the block."""
    arm(ssi, "n1")
    with contextlib.ExitStack() as stack:
        with move_held(ssi, gpid, "n2", "n1", Point.SOURCE_RESUME) as command:
            stack.enter_context(stopped(ssi, "n2"))
        _out, error = command.communicate(timeout=COMMAND_TIMEOUT_S)
        assert command.returncode == 28, error
        eventually(
            lambda: "in doubt: it was given to n2" in str(ssi.job(gpid)["problem"]),
            what="it is told to be in doubt",
        )
        yield


@contextlib.contextmanager
def full(host: Host, path: str) -> Iterator[None]:
    """The memory file system there takes no further byte."""
    sizes = host.enter("sh", "-c", f"df -k --output=size,used {path} | tail -1").stdout.split()
    size, used = int(sizes[0]), int(sizes[1])
    mounted = host.enter("mount", "-o", f"remount,size={max(used, 4)}k", path)
    assert mounted.returncode == 0, mounted
    try:
        yield
    finally:
        host.enter("mount", "-o", f"remount,size={size}k", path)


@contextlib.contextmanager
def stopped(ssi: Ssi, node: str) -> Iterator[None]:
    """The agent of a node stands still. Signalled from here: a command there takes its time."""
    pid = outer_pid(ssi.host(node), pid_of(ssi.host(node), "agent"))
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def outer_pid(host: Host, pid: int) -> int:
    """What this machine calls a process of a host."""
    (found,) = (outer for outer in pids_of(host) if namespace_pids(outer)[1:] == [pid])
    return found
