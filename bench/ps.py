"""`ssi ps` over eight hosts against clush and pdsh, whose ssh connections are open already.

Each host has some fifty processes, as a machine that was just installed. Goal: at most 0.3 of the
faster one.
"""

from __future__ import annotations

import sys

from cluster import SSI, cluster
from measure import command_ms, interleave, judge, need, ratio, show

HOSTS = 8
PROCESSES = 50
SPAWN = f"for i in $(seq {PROCESSES}); do setsid sleep 3600 </dev/null >/dev/null 2>&1 & done"
BAR = 0.3


def main() -> int:
    need("clush", "pdsh", "ssh")
    with cluster(HOSTS) as made:
        for host in made.hosts:
            made.output(made.ssh(host, SPAWN))
        options = f"-F {made.multiplexed}"
        environment = {**made.environment, "PDSH_SSH_ARGS_APPEND": options}
        clush = ["clush", "-o", options, "-w", made.nodeset, "ps", "aux"]
        pdsh = ["pdsh", "-R", "ssh", "-w", made.nodeset, "ps", "aux"]
        series = interleave(
            {
                "ssi ps": lambda: command_ms([SSI, "ps"], environment, lines=HOSTS * PROCESSES),
                "clush ps aux": lambda: command_ms(clush, environment, lines=HOSTS * PROCESSES),
                "pdsh ps aux": lambda: command_ms(pdsh, environment, lines=HOSTS * PROCESSES),
                "ssi ps, cold": lambda: command_ms([SSI, "ps"], {**environment, "SSI_COLD": "1"}),
            }
        )
    show(series)
    best = min(series["clush ps aux"], series["pdsh ps aux"], key=lambda taken: taken.median)
    return 0 if judge("ssi ps to the faster", ratio(series["ssi ps"], best), BAR) else 1


if __name__ == "__main__":
    sys.exit(main())
