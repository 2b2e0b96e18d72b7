"""One of many real agents on one machine: keeper, files, keys, ports and processes of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cluster import Cluster
from doors import Door

from ssi.model.errors import SsiError
from ssi.model.node import NodeState, Roster, RosterEntry
from ssi.protocol.message import Done
from ssi.protocol.system import InstallRoster, ListNodes, NodeList

POSING = """
pidfile=$1
shift
read -r stat < /proc/1/stat
set -- $stat -- "$@"
printf '1 %s\\n' "${22}" > "$pidfile"
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""
"""Who finds a file server running starts none: the first process of each table poses as one."""


@dataclass
class Agent:
    """One agent, as this machine and as the host see it."""

    name: str
    made: Cluster
    number: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> str:
        return f"/tmp/agents/{self.name}"

    @property
    def seen(self) -> Path:
        return Path(f"{self.made.lab.host('n1').root}{self.folder}")

    def start(self, library: str, nice: int) -> None:
        (self.seen / "run").mkdir(parents=True)
        environment = [
            f"SSI_RUNTIME_DIR={self.folder}/run",
            f"SSI_STATE_DIR={self.folder}/state",
            f"PYTHONPATH={library}",
        ]
        command = ["python3", "-m", "nodeagent", "--name", self.name, "--address", "127.0.0.1"]
        own = [
            "unshare",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "sh",
            "-c",
            POSING,
            "sh",
        ]
        posing = [*own, f"{self.folder}/run/files.pid", "env", *environment, *command]
        self.process = spawn(self.made, nice, *posing)

    def entry(self) -> RosterEntry:
        ready = json.loads((self.seen / "run/ready").read_bytes())
        return RosterEntry(
            name=self.name,
            number=self.number,
            public_key=ready["public_key"],
            address="127.0.0.1",
            control_port=ready["control_port"],
            bulk_port=ready["bulk_port"],
            pulse_port=ready["pulse_port"],
            version=ready["version"],
            signing_key=bytes.fromhex(ready["signing_key"]),
        )

    @property
    def is_ready(self) -> bool:
        return (self.seen / "run/ready").exists()

    @property
    def pid(self) -> int:
        """In its own process table."""
        return int((self.seen / "run/agent.pid").read_text().split()[0])

    @property
    def first(self) -> int:
        """The first process of its table, as this machine sees it: below nsenter and unshare."""
        assert self.process is not None
        return child_of(child_of(self.process.pid))

    @property
    def proc(self) -> Path:
        """What its table says of its agent."""
        return Path(f"/proc/{self.first}/root/proc/{self.pid}")

    def crash(self) -> None:
        """It ends at once, and all of its table with it: no keeper is left to start another."""
        os.kill(self.first, signal.SIGKILL)

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def install(self, roster: Roster) -> None:
        door = Door(self.seen / "run/door.sock")
        door.ask(InstallRoster(roster=roster), Done)
        door.close()

    def states(self) -> dict[str, NodeState]:
        """Of the others, as it sees them; one that it has never heard is not among them."""
        try:
            door = Door(self.seen / "run/door.sock")
            rows = door.ask(ListNodes(), NodeList).rows
            door.close()
        except (OSError, SsiError):
            return {}
        return {row.name: row.state for row in rows if row.name != self.name and row.incarnation}

    def log(self) -> str:
        return (self.seen / "state/agent.log").read_text(errors="replace")

    def cpu_ns(self) -> int:
        """That its threads have used so far."""
        tasks = (self.proc / "task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks)

    def memory_mb(self) -> tuple[float, float, float]:
        """Of the agent, resident and with what is shared divided; and all of its table, divided."""
        mine = memory_of(self.proc)
        table = (each for each in self.proc.parent.iterdir() if each.name.isdigit())
        return mine["Rss:"], mine["Pss:"], sum(memory_of(each)["Pss:"] for each in table)


def spawn(made: Cluster, nice: int, *argv: str) -> subprocess.Popen[bytes]:
    """A process on the host, without a shell or a login in between."""
    spaces = ["--mount", "--net", "--uts", "--ipc", "--pid", "--cgroup", "--root", "--wd"]
    # Below most else that this machine does: two hundred agents on two cores are many. At 19 each
    # gets a seventieth of what any other process does, and hears too late where others work.
    command = [
        "nsenter",
        "--target",
        str(made.lab.host("n1").pid),
        *spaces,
        "--",
        "nice",
        "-n",
        str(nice),
        *argv,
    ]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def child_of(pid: int) -> int:
    """Its only one."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def memory_of(proc: Path) -> dict[str, float]:
    """In MB; nothing of a process that has just ended."""
    try:
        lines = (proc / "smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        lines = []
    found = {line.split()[0]: int(line.split()[1]) * 1024 / 1e6 for line in lines}
    return {"Rss:": 0.0, "Pss:": 0.0, **found}
