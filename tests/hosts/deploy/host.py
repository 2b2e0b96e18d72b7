"""What a deployment leaves on a host, looked at on the host itself."""

from __future__ import annotations

import subprocess

from ssi.lab import Host
from tests.hosts.system import COMMAND_TIMEOUT_S, Ssi

STATE = "/var/lib/ssi"
ALL_OF_IT = f"{STATE} /run/ssi /usr/local/bin/ssi"


def run_with(
    environment: dict[str, str], ssi: Ssi, *words: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ssi.words(*words),
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )


def out_of(host: Host, script: str, user: str = "root") -> str:
    done = host.run("sh", "-c", script, user=user)
    return done.stdout.decode()


def agents_of(host: Host) -> str:
    return out_of(host, "cat /run/ssi/agent.pid /run/ssi/keeper.pid")


def everything_of(host: Host) -> str:
    return out_of(host, "find /var/lib /run /usr/local /etc /root /home -xdev | sort; ls /tmp")
