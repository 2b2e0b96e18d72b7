"""A process moves between two hosts: `ssi migrate` against a script of criu and tar, and the link.

The script is what one would write by hand: dump, tar through open ssh connections, restore. The
link's time is that of as many bytes through a bare TCP connection. Each is tried with 0, 64, 512
and 2048 MiB of touched memory, on the bare virtual cable and at 1 Gbit/s.

    .venv/bin/python bench/migrate.py [--rounds 3] [--mib 0,64,512,2048] [--rates bare,1gbit]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster import Cluster, cluster
from measure import Series, judge, need, ratio, show
from movers import LinkCopy, Mover, Script, Ssi, gap_ms, put_programs

from nodeagent.mechanism.criu import lacks_sys_resource

BAR = 0.7
LINK_BAR = 1.1
EMPTY_FREEZE_MS = 50.0
POST_FREEZE_MS = 400.0
POST_FROM_MIB = 512
SETTLE_S = 0.5
PIPE_LIMIT = Path("/proc/sys/fs/pipe-max-size")
PIPE_BYTES = 4 << 20
SHAPE = "tc qdisc replace dev eth0 root tbf rate {rate} burst 256kb latency 50ms"

Verdict = Callable[[], bool]


def main() -> int:
    options = _options()
    need("ssh")
    holds = []
    with wide_pipes(), cluster(2) as made:
        put_programs(made)
        link = LinkCopy(made)
        for rate in options.rates.split(","):
            for host in made.hosts:
                if rate != "bare":
                    made.output(made.ssh(host, SHAPE.format(rate=rate)))
            for mib in map(int, options.mib.split(",")):
                holds += compare(made, link, rate, mib, options.rounds)
    return 0 if all(holds) else 1


@contextmanager
def wide_pipes() -> Iterator[None]:
    """CRIU's pipes may be as large as where root has CAP_SYS_RESOURCE, if it lacks that here."""
    before = PIPE_LIMIT.read_text()
    if not lacks_sys_resource(Path("/proc/self/status").read_text()) or int(before) >= PIPE_BYTES:
        yield
        return
    print(f"root has no CAP_SYS_RESOURCE here: fs.pipe-max-size is {PIPE_BYTES} meanwhile")
    PIPE_LIMIT.write_text(str(PIPE_BYTES))
    try:
        yield
    finally:
        PIPE_LIMIT.write_text(before)


def compare(made: Cluster, link: LinkCopy, rate: str, mib: int, rounds: int) -> list[bool]:
    """All ways in turns, there and back; whether each goal holds."""
    stop = Ssi(made)
    movers: list[Mover] = [stop, Script(made)]
    if mib >= POST_FROM_MIB:
        movers.append(Ssi(made, "post-copy", "post"))
    series = {f"{mover.name}, {what}": Series() for what in ("total", "freeze") for mover in movers}
    series["link"] = Series()
    for number in range(rounds + 1):
        if number == 0:  # the first one finds nothing cached, and is not counted
            for mover in movers:
                mover.start(mib)
        source, target = ("n1", "n2") if number % 2 == 0 else ("n2", "n1")
        for mover in movers:
            total_ms, freeze_ms = once(made, mover, source, target)
            if number:
                series[f"{mover.name}, total"].values.append(total_ms)
                series[f"{mover.name}, freeze"].values.append(freeze_ms)
        size_bytes = int(str(stop.reports[-1]["image_bytes"]))
        if number:
            series["link"].values.append(link.copy_ms(source, target, size_bytes))
    for mover in movers:
        mover.stop()
    print(f"\n{mib} MiB, {rate} link, load {os.getloadavg()[0]:.1f}, {rounds} rounds")
    show(series)
    _explain(stop)
    return judgements(series, rate, mib)


def once(made: Cluster, mover: Mover, source: str, target: str) -> tuple[float, float]:
    """One move: its whole time and the longest gap, both in ms."""
    time.sleep(SETTLE_S)
    made.output(made.ssh(target, f"rm -f /root/gaps.{mover.name}"))
    made.output(made.ssh(source, f": > /root/gaps.{mover.name}"))
    total_ms = mover.move(source, target)
    time.sleep(SETTLE_S)
    return total_ms, gap_ms(made, mover, target)


def judgements(series: dict[str, Series], rate: str, mib: int) -> list[bool]:
    """Every goal that is about this size and rate."""
    total = series["ssi, total"]
    label = f"{mib} MiB, {rate}"
    holds = [judge(f"{label}: total to script", ratio(total, series["script, total"]), BAR)]
    to_link = ratio(total, series["link"])
    if mib == 0:
        holds.append(
            judge(f"{label}: freeze", series["ssi, freeze"].median, EMPTY_FREEZE_MS, " ms")
        )
    elif rate != "bare":
        holds.append(judge(f"{label}: total to link", to_link, LINK_BAR))
    else:
        print(f"{label}: total to link: {to_link:.3g}, no bar")
    if "post-copy, freeze" in series:
        frozen_ms = series["post-copy, freeze"].median
        holds.append(judge(f"{label}: post-copy freeze", frozen_ms, POST_FREEZE_MS, " ms"))
    return holds


def _explain(stop: Ssi) -> None:
    """Where the time of the last move went."""
    last = stop.reports[-1]
    parts = ("dump_ms", "send_ms", "restore_ms", "sent_bytes", "image_bytes", "compressed_bytes")
    print("  last move:", ", ".join(f"{part} {last.get(part)}" for part in parts))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mib", default="0,64,512,2048")
    parser.add_argument("--rates", default="bare,1gbit")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
