"""Boots hosts, all at once: each step is done for every host before the next is waited for.

The steps, with ``boot.sh`` and ``init.py`` on the other side: enter the cgroup and the namespaces,
mount the root, say *ready*; plug the cable into the network namespace that exists now, say *go*;
hear *up* when its network stands; wait until sshd answers from the machine's side.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ssi.lab import network
from ssi.lab.blueprint import Blueprint
from ssi.lab.cgroup import Cgroup
from ssi.lab.command import CLEAN_ENVIRONMENT
from ssi.lab.errors import LabBootError
from ssi.lab.process import init_of

BOOT_TIMEOUT_S = 30.0
"""A boot takes half a second; a machine under heavy load gets time."""

SSH_PORT = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What booting one host needs to know."""

    host: str
    address: str
    cgroup: Cgroup
    folder: Path


@dataclass(slots=True, kw_only=True)
class _Boot:
    """One host on its way up, with our ends of its pipes."""

    plan: Plan
    to_host: int
    from_host: int

    def close(self) -> None:
        """Lets go of the pipes; a host that had no *go* yet dies of it."""
        os.close(self.to_host)
        os.close(self.from_host)


def boot(blueprint: Blueprint, plans: Sequence[Plan]) -> None:
    """Every host of ``plans`` runs and its sshd answers.

    Raises:
        LabBootError: One did not come up within half a minute. Those that did are left running.
    """
    deadline = time.monotonic() + BOOT_TIMEOUT_S
    boots: list[_Boot] = []
    try:
        for plan in plans:
            boots.append(_start(blueprint, plan))
        pids = {each.plan.host: _wait_ready(blueprint, each, deadline) for each in boots}
        network.plug_in(blueprint, pids)
        for each in boots:
            _say_go(blueprint, each)
        for each in boots:
            # Not sooner: the answer to a packet that was lost comes only after a second.
            _expect(blueprint, each, b"up\n", deadline)
        for each in boots:
            _wait_sshd(blueprint, each.plan, deadline)
    finally:
        for each in boots:
            each.close()


def _start(blueprint: Blueprint, plan: Plan) -> _Boot:
    """The host's ``boot.sh`` runs, in its cgroup and namespaces; nothing is waited for in them."""
    # Cgroups do not outlive a machine either; and Linux 6.18 kills at once what systemd starts in
    # one whose processes were killed before.
    plan.cgroup.remove()
    plan.cgroup.create()
    host_in, to_host = os.pipe()
    from_host, host_out = os.pipe()
    started = _Boot(plan=plan, to_host=to_host, from_host=from_host)
    script = resources.files("ssi.lab").joinpath("boot.sh")
    try:
        with resources.as_file(script) as path, _console(plan).open("w") as console:
            # It leaves the host's init to the machine's as soon as the namespaces are made. A
            # failure shows as an early end of its output.
            subprocess.run(
                ["sh", str(path), "enter"],
                stdin=host_in,
                stdout=host_out,
                stderr=console,
                env=_environment(blueprint, plan),
                cwd="/",
                umask=0o022,
                start_new_session=True,
                check=False,
                timeout=BOOT_TIMEOUT_S,
            )
    except subprocess.TimeoutExpired as exc:
        started.close()
        raise _failure(blueprint, plan, "its namespaces could not be made") from exc
    finally:
        os.close(host_in)
        os.close(host_out)
    return started


def _environment(blueprint: Blueprint, plan: Plan) -> dict[str, str]:
    return {
        **CLEAN_ENVIRONMENT,
        "LAB_CGROUP": str(plan.cgroup.path),
        "LAB_IMAGE": str(blueprint.image),
        "LAB_DIR": str(plan.folder),
        "LAB_HOST": plan.host,
        "LAB_ADDRESS": f"{plan.address}/{blueprint.subnet.prefixlen}",
        "LAB_INIT": blueprint.init,
    }


def _console(plan: Plan) -> Path:
    return plan.folder / "console.log"


def _wait_ready(blueprint: Blueprint, each: _Boot, deadline: float) -> int:
    """The pid of the host's init, whose root stands."""
    _expect(blueprint, each, b"ready\n", deadline)
    pid = init_of(each.plan.cgroup)
    if pid is None:
        raise _failure(blueprint, each.plan, "its init died")
    return pid


def _say_go(blueprint: Blueprint, each: _Boot) -> None:
    try:
        os.write(each.to_host, b"go\n")
    except BrokenPipeError as exc:
        raise _failure(blueprint, each.plan, "its init died") from exc


def _expect(blueprint: Blueprint, each: _Boot, word: bytes, deadline: float) -> None:
    """The host said ``word``; its end of the pipe closes when it dies."""
    left_s = max(0.0, deadline - time.monotonic())
    readable, _, _ = select.select([each.from_host], [], [], left_s)
    if not readable or os.read(each.from_host, 16) != word:
        raise _failure(blueprint, each.plan, f"it never said {word.decode().strip()!r}")


def _wait_sshd(blueprint: Blueprint, plan: Plan, deadline: float) -> None:
    while not _answers(plan.address):
        if not plan.cgroup.populated:
            raise _failure(blueprint, plan, "its init died")
        if time.monotonic() > deadline:
            raise _failure(blueprint, plan, f"no sshd answers at {plan.address}:{SSH_PORT}")
        time.sleep(0.01)


def _answers(address: str) -> bool:
    """Whether an sshd greets us; a bare connection could be to a host that is still dying."""
    try:
        with socket.create_connection((address, SSH_PORT), timeout=1.0) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _failure(blueprint: Blueprint, plan: Plan, what: str) -> LabBootError:
    said = _console(plan).read_text(errors="replace").strip().splitlines()
    reason = f"{what} ({said[-1]})" if said else what
    return LabBootError(lab=blueprint.name, host=plan.host, reason=reason)
