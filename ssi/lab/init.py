"""The init of a lab host: pid 1 of its namespaces, with the host's own Python.

It sets up the network, keeps one sshd running, and reaps every process that loses its parent.
SIGTERM and SIGINT power the host off: when pid 1 ends, the kernel kills the rest. The file stands
alone, because it runs inside the host: ``python3 -I -S init.py ADDRESS/PREFIX``.

Source: pid_namespaces(7), sshd(8).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

LOG = "/var/log/init.log"
SSHD = ("/usr/sbin/sshd", "-D", "-E", "/var/log/sshd.log")
SHORTEST_LIFE_S = 1.0
"""An sshd that ends sooner cannot run at all, and a host without one is no use to anybody."""


def main(address: str) -> int:
    """Runs until the host is switched off, or its sshd cannot run."""
    signals = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # kept for sigwait; children start unblocked
    _bring_up_network(address)
    print("up", flush=True)
    _redirect()
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    sshd, started = _start_sshd(), time.monotonic()
    while True:
        if signal.sigwait(signals) != signal.SIGCHLD:
            return 0
        if sshd in _reap():
            if time.monotonic() - started < SHORTEST_LIFE_S:
                return 1
            sshd, started = _start_sshd(), time.monotonic()


def _redirect() -> None:
    """Lets go of the descriptors of whoever booted us: they are files of another root."""
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open("/dev/null", os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.closerange(3, 256)


def _bring_up_network(address: str) -> None:
    lines = f"link set lo up\naddress add {address} dev eth0\nlink set eth0 up\n"
    Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 2147483647")  # as systemd does
    subprocess.run(["/usr/sbin/ip", "-batch", "-"], input=lines.encode(), check=True, timeout=10)


def _start_sshd() -> int:
    """The pid of a fresh sshd, with no signal blocked or ignored: its logins inherit that."""
    return os.posix_spawn(
        SSHD[0],
        SSHD,
        dict(os.environ),
        setsid=True,
        setsigmask=[],
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # the two that Python ignores
    )


def _reap() -> set[int]:
    """The children that ended, ours and adopted ones; one SIGCHLD may stand for many."""
    reaped: set[int] = set()
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return reaped
        if pid == 0:
            return reaped
        reaped.add(pid)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
