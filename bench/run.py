"""`ssi run -n n1 -- true` against ssh, with a login each time and with an open connection.

Goal: at most 0.6 of the former; the latter is reported.
"""

from __future__ import annotations

import sys

from cluster import SSI, cluster
from measure import command_ms, interleave, judge, need, ratio, show

BAR = 0.6


def main() -> int:
    need("ssh")
    with cluster(2) as made:
        environment = {**made.environment, "SSI_ROOT": "auto"}  # as people have it
        local = made.environment
        run = [SSI, "run", "-n", "n1", "--", "true"]
        plain = made.ssh("n1", "true", config=made.plain)
        multiplexed = made.ssh("n1", "true")
        series = interleave(
            {
                "ssi run": lambda: command_ms(run, environment),
                "ssi run --root local": lambda: command_ms(run, local),
                "ssh": lambda: command_ms(plain),
                "ssh, ControlMaster": lambda: command_ms(multiplexed),
                "ssi run, cold": lambda: command_ms(run, {**environment, "SSI_COLD": "1"}),
            }
        )
    show(series)
    ours = series["ssi run"]
    print(f"ssi run to ssh with ControlMaster: {ratio(ours, series['ssh, ControlMaster']):.3g}")
    return 0 if judge("ssi run to ssh", ratio(ours, series["ssh"]), BAR) else 1


if __name__ == "__main__":
    sys.exit(main())
