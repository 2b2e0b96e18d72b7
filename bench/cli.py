"""One-shot commands against `ssh NODE true`, with an open connection and with a login each time.

Goal: at most 2 times the former, and 0.2 of the latter, for each of them.
"""

from __future__ import annotations

import sys
from functools import partial

from cluster import SSI, cluster
from measure import Step, command_ms, interleave, judge, need, ratio, show

TO_MULTIPLEXED = 2.0
TO_LOGIN = 0.2


def main() -> int:
    need("ssh")
    with cluster(3) as made:
        environment = {**made.environment, "SSI_ROOT": "auto"}  # as people have it
        job = made.ssi("run", "-n", "n1", "-d", "--", "sleep", "600").strip()
        commands = {
            "ssi run -n n1 -- true": ["run", "-n", "n1", "--", "true"],
            "ssi ps": ["ps"],
            "ssi nodes": ["nodes"],
            "ssi kill -CONT JOB": ["kill", "-CONT", job],
        }

        def step(words: list[str]) -> Step:
            return lambda: command_ms([SSI, *words], environment)

        peers = {
            "ssh n1 true, ControlMaster": made.ssh("n1", "true"),
            "ssh n1 true, login": made.ssh("n1", "true", config=made.plain),
        }
        steps = {name: step(words) for name, words in commands.items()}
        steps["ssi run --root local -n n1 -- true"] = step(
            ["run", "--root", "local", "-n", "n1", "--", "true"]
        )
        steps |= {name: partial(command_ms, words) for name, words in peers.items()}
        series = interleave(steps)
    show(series)
    multiplexed, login = (series[name] for name in peers)
    held = [
        judge(f"{name} to {peer}", ratio(series[name], theirs), bar)
        for name in commands
        for peer, theirs, bar in (
            ("ssh with ControlMaster", multiplexed, TO_MULTIPLEXED),
            ("ssh with a login", login, TO_LOGIN),
        )
    ]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
