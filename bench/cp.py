"""Files from one host to another by ``ssi cp``, scp and, where the hosts have it, rsync, in turns.

There is no bar; the aim is not to be slower than scp.
"""

from __future__ import annotations

import argparse
import json
import sys

from cluster import Cluster, cluster
from measure import Series, command_ms, need, ratio, show

ROUNDS = 5

PREPARE = """
mkdir -p /root/.ssh /srv/small && head -c 268435456 /dev/urandom > /srv/big
for number in $(seq 2000); do head -c $((number % 50 * 100)) /dev/urandom > /srv/small/$number; done
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/bench
cat > /root/.ssh/config <<'END'
IdentityFile /root/.ssh/bench
StrictHostKeyChecking no
UserKnownHostsFile /dev/null
LogLevel ERROR
END
"""

STEPS = {
    "256 MiB": {
        "ssi": "ssi cp /srv/big n2:/srv/at.ssi",
        "scp": "scp -q /srv/big {address}:/srv/at.scp",
        "rsync": "rsync -W /srv/big {address}:/srv/at.rsync",
    },
    "2,000 small files": {
        "ssi": "ssi cp -r /srv/small n2:/srv/small.ssi",
        "scp": "scp -q -r /srv/small {address}:/srv/small.scp",
        "rsync": "rsync -r -W /srv/small/ {address}:/srv/small.rsync",
    },
}
CLEAR = "rm -rf /srv/at.* /srv/small.*"


def main() -> int:
    need("ssh")
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    with cluster(2) as made:
        address = prepare(made)
        tools = ["ssi", "scp"]
        if "rsync" in made.output(made.ssh("n1", "command -v rsync || true")):
            tools.append("rsync")
        for what, commands in STEPS.items():
            series = measure(made, {tool: commands[tool] for tool in tools}, address, rounds)
            print(f"\n{what}, median of {rounds}")
            show(series)
            for tool in tools[1:]:
                print(f"ssi cp / {tool}: {ratio(series['ssi'], series[tool]):.2f}")
    return 0


def prepare(made: Cluster) -> str:
    """Files on n1, and a way for its root to n2; the address of n2."""
    made.output(made.ssh("n1", PREPARE))
    key = made.output(made.ssh("n1", "cat", "/root/.ssh/bench.pub"))
    made.output(made.ssh("n2", f"mkdir -p /root/.ssh; echo '{key}' >> /root/.ssh/authorized_keys"))
    rows = json.loads(made.ssi("nodes", "--json"))
    return str(next(row["address"] for row in rows if row["name"] == "n2"))


def measure(
    made: Cluster, commands: dict[str, str], address: str, rounds: int
) -> dict[str, Series]:
    """Each in turn, so many times after one that does not count; the target is new each time."""
    series = {tool: Series() for tool in commands}
    for turn in range(rounds + 1):
        for tool, command in commands.items():
            made.output(made.ssh("n2", CLEAR))
            taken_ms = command_ms(made.ssh("n1", command.format(address=address)))
            if turn:
                series[tool].values.append(taken_ms)
    return series


if __name__ == "__main__":
    sys.exit(main())
