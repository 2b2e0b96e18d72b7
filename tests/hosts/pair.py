"""Two hosts with a keeper each, and jobs that move between their shims."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ssi.lab import Lab
from tests.hosts.shim_client import ShimClient, ShimHost, keeper_on

GO = "/tmp/go"
"""What waits for it goes on where it is there."""

UNTIL_GO = f"until [ -e {GO} ]; do sleep 0.05; done"


@dataclass
class Pair:
    """Two hosts, each with a keeper, and what carries images from one to the other."""

    here: ShimHost
    there: ShimHost

    def hold_back(self) -> None:
        """What waits until it is let go will wait."""
        for host in (self.here, self.there):
            host.outside(GO).unlink(missing_ok=True)

    def let_go(self) -> None:
        """What waits goes on, on whichever host it is."""
        for host in (self.here, self.there):
            host.outside(GO).touch()

    def carry(self, images: str, source: ShimHost, target: ShimHost) -> str:
        arrived = target.folder("images")
        for file in source.outside(images).iterdir():
            shutil.copyfile(file, target.outside(arrived) / file.name)
        return arrived

    def move(self, shim: ShimClient, *, back: bool = False, logs: str = "") -> ShimClient:
        """The job in a shim of the other host; its old shim is gone."""
        source, target = (self.there, self.here) if back else (self.here, self.there)
        images = source.folder("images")
        dumped = shim.dump(images)
        arrived = self.carry(images, source, target)
        fresh = target.shim()
        fresh.restore(arrived, dumped.state, logs=logs)
        shim.commit()
        fresh.resume()
        shim.release()
        for host, folder in ((source, images), (target, arrived)):
            shutil.rmtree(host.outside(folder))
        return fresh

    def hop(self, shim: ShimClient, times: int, pause_s: float = 0.05) -> ShimClient:
        """The job after so many moves."""
        for turn in range(times):
            time.sleep(pause_s)
            shim = self.move(shim, back=turn % 2 == 1)
        return shim


@contextmanager
def pair_on(lab: Lab, wheels: Path) -> Iterator[Pair]:
    """Keepers on the first two hosts of a lab; ``wheels`` is an empty directory."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"),
            *(str(wheels), "--python-version", "3.13", "--only-binary=:all:", "msgspec"),
        ],
        check=True,
        timeout=120,
    )
    with (
        keeper_on(lab.host("n1"), wheels) as here,
        keeper_on(lab.host("n2"), wheels) as there,
    ):
        for host in (here, there):
            host.outside(host.work).chmod(0o755)
        yield Pair(here, there)
