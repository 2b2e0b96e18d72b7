"""How long `ssi up` takes on three hosts: with nothing of ssi there, and with all of it there.

Goals: at most 6 s cold, with the command line for the hosts' users, and at most 2 s warm. The
wheels are in the cache already, as after the first `ssi up` of a machine's life.
"""

from __future__ import annotations

import time

from cluster import Cluster, cluster
from measure import interleave, judge, show

HOSTS = 3
ROUNDS = 7
COLD_BAR_MS = 6000
WARM_BAR_MS = 2000


def main() -> int:
    with cluster(HOSTS) as made:
        names = f"n1..n{HOSTS}"

        def cold() -> float:
            made.ssi("down", names)
            return took_ms(made, names)

        def cold_agent_only() -> float:
            made.ssi("down", names)
            return took_ms(made, names, "--agent-only")

        def warm() -> float:
            made.ssi("up", names)
            return took_ms(made, names)

        steps = {"cold": cold, "cold, --agent-only": cold_agent_only, "warm": warm}
        series = interleave(steps, ROUNDS)
    show(series)
    holds = [
        judge("cold", series["cold"].median, COLD_BAR_MS, " ms"),
        judge("warm", series["warm"].median, WARM_BAR_MS, " ms"),
    ]
    return 0 if all(holds) else 1


def took_ms(made: Cluster, *words: str) -> float:
    """How long `ssi up` took."""
    started_s = time.monotonic()
    made.ssi("up", *words)
    return (time.monotonic() - started_s) * 1000


if __name__ == "__main__":
    raise SystemExit(main())
