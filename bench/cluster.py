"""A lab that is one computer for as long as a measurement takes, and ways into it by plain ssh."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ending import ending

from ssi.lab import Lab

SSI = str(Path(sys.executable).with_name("ssi"))
MULTIPLEXED = "ControlMaster auto\nControlPath {folder}/%C\nControlPersist 600\n"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Hosts with agents.

    Attributes:
        lab: The hosts.
        folder: For what is needed meanwhile.
        environment: In which `ssi` knows them.
    """

    lab: Lab
    folder: Path
    environment: dict[str, str]

    @property
    def hosts(self) -> list[str]:
        return [host.name for host in self.lab.hosts]

    @property
    def nodeset(self) -> str:
        """All hosts, as clush and pdsh write them."""
        return f"n[1-{len(self.hosts)}]"

    @property
    def plain(self) -> str:
        """Configuration for ssh with a login for each command."""
        return str(self.lab.ssh_config)

    @property
    def multiplexed(self) -> str:
        """Configuration for ssh with one connection per host that stays open."""
        return str(self.folder / "multiplexed")

    def ssh(self, host: str, *words: str, config: str = "") -> list[str]:
        return ["ssh", "-F", config or self.multiplexed, host, "--", *words]

    def ssi(self, *words: str) -> str:
        """The output of an ssi command, which must succeed."""
        return self.output([SSI, *words])

    def output(self, words: Sequence[str]) -> str:
        """The output of a command, which must succeed."""
        done = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            sys.exit(f"{list(words)} failed ({done.returncode}): {done.stderr}{done.stdout}")
        return done.stdout

    def open_connections(self) -> None:
        """The connections that ssh keeps open are open."""
        for host in self.hosts:
            subprocess.run(
                self.ssh(host, "true"),
                check=True,
                timeout=30,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # the master keeps it, and nobody waits for its end
            )

    def close_connections(self) -> None:
        for host in self.hosts:
            subprocess.run(
                ["ssh", "-F", self.multiplexed, "-O", "exit", host],
                check=False,
                capture_output=True,
                timeout=30,
            )

    def down(self) -> None:
        """All nodes leave; the agent of this machine ends with the last of them."""
        words = [SSI, "down", "--force"]
        done = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:  # said, and no other end: what went wrong before is what matters
            print(f"{words} failed ({done.returncode}): {done.stderr}", file=sys.stderr)


@contextmanager
def cluster(size: int) -> Iterator[Cluster]:
    """A lab of its own with so many hosts, on which `ssi up` was run.

    It is gone afterwards, also where a signal ended the measurement.
    """
    ending.by_signals()
    name = f"b{os.getpid() % 10_000_000}"
    with TemporaryDirectory(prefix="ssi-") as folder:
        try:
            lab = Lab.up(name=name, size=size)
            environment = {
                **os.environ,
                "SSI_CONFIG_DIR": f"{folder}/config",
                "SSI_LAB": name,
                "SSI_ROOT": "local",  # else each job would see files of this machine
            }
            made = Cluster(lab, Path(folder), environment)
            Path(made.multiplexed).write_text(
                MULTIPLEXED.format(folder=folder) + lab.ssh_config.read_text()
            )
            try:
                made.ssi("up", f"n1..n{size}" if size > 1 else "n1")
                made.open_connections()
                yield made
            finally:
                with ending.cleaning():
                    made.close_connections()
                    made.down()
        finally:
            with ending.cleaning():
                Lab.remove(name)
