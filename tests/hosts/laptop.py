"""A laptop for tests: a host of the lab that is no node, with a user who has another name there."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from ssi.lab import Host, Lab
from tests.hosts.system import Result, Ssi

NAME = "n4"
USER = "bob"
LIBRARY = "/opt/ssi"
_MAKE_KEY = """
from pathlib import Path
from ssi.transport.keys import load_or_make_key
print(load_or_make_key(Path.home() / ".config/ssi/client.key").public)
"""
_ALLOW = """
import asyncio, sys
from ssi.client.connection import Connection
from ssi.protocol.system import AllowClient
async def allow():
    async with await Connection.open() as connection:
        await connection.ask(AllowClient(public_key=sys.argv[1]))
asyncio.run(allow())
"""


@dataclass(frozen=True, slots=True)
class Laptop:
    """Its user is ada on the nodes, and types commands here as bob."""

    host: Host
    lib: str

    @classmethod
    def of(cls, ssi: Ssi) -> Laptop:
        """Boots it, with ssi installed, and a key that the nodes know as ada's."""
        node, host = ssi.host("n1"), Lab.up(name=ssi.lab.name, size=4).host(NAME)
        bundles = Path(node.root, "var/lib/ssi/bundles")
        # The node's Python may just be writing what it compiled, under another name at first.
        ignored = shutil.ignore_patterns("*.pyc.*")
        library = Path(host.root, LIBRARY[1:])
        shutil.copytree(bundles, library, symlinks=True, dirs_exist_ok=True, ignore=ignored)
        command = Path(node.root, "usr/local/bin/ssi").read_text(encoding="utf-8")
        places = re.findall(r"^ssi_library=(.*)$", command, re.MULTILINE)[0]
        laptop = cls(host, places.replace("/var/lib/ssi/bundles", LIBRARY))
        laptop.root(f"id {USER} || useradd -m -u 1717 {USER}")
        laptop.said("mkdir -p -m 700 ~/.config/ssi")
        roster = Path(ssi.config, "cluster").read_bytes()
        host.run("tee", f"/home/{USER}/.config/ssi/cluster", input=roster)
        laptop.root(f"chown -R {USER}: /home/{USER}")
        key = laptop.said(f"python3 -c '{_MAKE_KEY}'").strip()
        for name in ("n1", "n2", "n3"):
            words = ("env", f"PYTHONPATH={places}", "python3", "-c", _ALLOW, key)
            allowed = ssi.host(name).run(*words, user="ada")
            assert allowed.returncode == 0, allowed
        return laptop

    def root(self, line: str) -> None:
        """Root does something there that must not fail."""
        done = self.host.run("sh", "-c", line)
        assert done.returncode == 0, done

    def on(self, line: str) -> Result:
        """How a line ended that the user typed."""
        settings = (
            f'export PYTHONPATH={self.lib} SSI_COLD=1; ssi() {{ python3 -m ssi.cli "$@"; }}\n'
        )
        done = self.host.run("runuser", "-l", USER, "-c", settings + line, timeout_s=100)
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def said(self, line: str) -> str:
        """What it printed; it must end well, without a word of complaint."""
        result = self.on(line)
        assert (result.status, result.err) == (0, ""), (line, result)
        return result.out

    def agent(self) -> int:
        """Pid of its client-mode agent, there."""
        return int(self.said("cut -d' ' -f1 ~/.local/state/ssi/client/run/agent.pid"))
