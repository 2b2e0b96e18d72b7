"""An installation of ssi in which ``run`` and ``wait`` run Python code, and what is seen of it."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 60
PROBE = """
from typing import Annotated
import typer
def {name}(code: Annotated[list[str], typer.Argument()]) -> None:
    exec(code[0], {{"words": code[1:]}})
"""
WHO = "from ssi.cli.invocation import own_pids; import os; print(len(own_pids()), os.getppid())"


HURRY = "$ACCEPT_TIMEOUT_S = 0.5;"
"""How the stub says how long it waits for a warm process that does not answer."""


class Installation:
    """An installation of ssi with a home of its own.

    Its stub waits for long: on a busy machine a warm process may be late, and the command then has
    a process of its own, which is well for people and not for a test of the warm process.
    """

    def __init__(self, root: Path, *, accept_s: float = TIMEOUT_S / 2) -> None:
        self.root = root
        self.lib = root / "lib"
        self.home = root / "home"
        self.home.mkdir(parents=True)
        for package in ("ssi", "nodeagent", "shell", "tui"):
            shutil.copytree(ROOT / package, self.lib / package)
        for name in ("run", "wait"):
            (self.lib / "ssi/cli" / f"{name}.py").write_text(PROBE.format(name=name))
        stub = self.lib / "ssi/cli/stub.pl"
        assert HURRY in stub.read_text()
        stub.write_text(stub.read_text().replace(HURRY, f"$ACCEPT_TIMEOUT_S = {accept_s};"))
        python = Path(sys.executable).resolve()
        (root / "bin").mkdir()
        command = (ROOT / "bin/ssi").read_text()
        assert "ssi_library=\n" in command
        (root / "bin/ssi").write_text(
            command.replace("ssi_library=\n", f"ssi_library={self.lib}\n")
        )
        (root / "bin/ssi").chmod(0o755)
        (root / "bin/python3").symlink_to(python)
        (root / "pyvenv.cfg").write_text(f"home = {python.parent}\n")
        packages = root / f"lib/python3.{sys.version_info.minor}/site-packages"
        packages.parent.mkdir()
        packages.symlink_to(sysconfig.get_path("purelib"))

    @property
    def command(self) -> str:
        return str(self.root / "bin/ssi")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": f"{self.root}/bin:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
        }

    def start(self, *words: str, **options: object) -> subprocess.Popen[bytes]:
        settings: dict[str, object] = {
            "env": self.environment,
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            **options,
        }
        return subprocess.Popen([self.command, *words], **settings)  # type: ignore[call-overload, no-any-return]

    def do(self, *words: str, data: bytes | None = None, **options: object) -> tuple[int, str, str]:
        """Exit status, stdout and stderr of a command."""
        if data is not None:
            options["stdin"] = subprocess.PIPE
        process = self.start(*words, **options)
        out, err = process.communicate(data, timeout=TIMEOUT_S)
        return process.returncode, out.decode(), err.decode()

    def sockets(self) -> list[Path]:
        found = list((self.home / ".local/state/ssi/warm").glob("[!.]*"))
        return [*found, *(Path("/run/ssi/warm").glob("[!.]*") if os.geteuid() == 0 else ())]

    def warm_pids(self) -> set[int]:
        """The warm processes of this installation that listen."""
        pids = set()
        for path in self.sockets():
            with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
                probe.connect(str(path))
                ucred = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                pid: int = struct.unpack("3i", ucred)[0]
                if str(self.root).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    pids.add(pid)
        return pids

    def warm_up(self) -> int:
        """A warm process that answers; its pid."""
        assert self.do("wait", "pass") == (0, "", "")
        return until(lambda: next(iter(self.warm_pids() if self.is_warm() else ()), 0))

    def is_warm(self) -> bool:
        return self.do("wait", WHO)[1].startswith("2 ")


def until(condition: Callable[[], int]) -> int:
    """What a condition gives as soon as it is something."""
    give_up_at_s = time.monotonic() + TIMEOUT_S
    while not (found := condition()):
        assert time.monotonic() < give_up_at_s, "it never came true"
        time.sleep(0.02)
    return found


def state_of(pid: int) -> str:
    """The letter of ps(1); empty for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def children_of_any(parents: set[int]) -> set[int]:
    children = set()
    for parent in parents:
        text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        children |= {int(pid) for pid in text.split()}
    return children
