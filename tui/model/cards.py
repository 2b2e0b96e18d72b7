"""The nodes above the process table: a card of four lines each, or one line where they are many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ssi.model.node import NodeMetrics, NodeRow, NodeState
from ssi.view.quantity import age, counted, size, used_of
from ssi.view.text import plain, width
from tui.model.meters import Meters
from tui.model.parts import Part, Tone, fitted

FOLD_ABOVE: Final = 6
"""More nodes than this are shown by one line each, whatever room there is."""

CARD_LINES: Final = 4
CARD_WIDTH: Final = 52
"""A card is at least so wide."""

_SHARE_OF_SCREEN: Final = 3
"""Cards take at most a third of the screen's height."""

_EIGHTHS: Final = "▁▂▃▄▅▆▇█"
_DOTS: Final = {
    NodeState.ALIVE: Part("● ", Tone.GOOD),
    NodeState.SUSPECT: Part("◐ ", Tone.WARN),
    NodeState.DEAD: Part("✗ ", Tone.BAD),
    NodeState.LEFT: Part("○ ", Tone.DIM),
}


def node_lines(
    rows: Sequence[NodeRow], meters: Mapping[str, Meters], *, columns: int, lines: int
) -> list[list[Part]]:
    """The nodes for a screen of so many columns and lines."""
    beside = max(1, min(len(rows), columns // CARD_WIDTH))
    card_lines = -(-len(rows) // beside) * CARD_LINES
    if len(rows) > FOLD_ABOVE or card_lines > lines // _SHARE_OF_SCREEN:
        most = max(lines // _SHARE_OF_SCREEN, 1)
        shown = rows if len(rows) <= most else rows[: most - 1]
        folded = [fitted(_folded(row, meters.get(row.name)), columns) for row in shown]
        if len(shown) < len(rows):
            folded.append(fitted([_more(rows[len(shown) :], is_first=not shown)], columns))
        return folded
    drawn: list[list[Part]] = []
    card_width = columns // beside
    for first in range(0, len(rows), beside):
        cards = [_card(row, meters.get(row.name)) for row in rows[first : first + beside]]
        drawn += [
            fitted([part for card in cards for part in _apart(card[line], card_width)], columns)
            for line in range(CARD_LINES)
        ]
    return drawn


def _apart(line: list[Part], cells: int) -> list[Part]:
    """The line of a card, with a gap to the next one."""
    return fitted(fitted(line, cells - 1), cells)


def bar(title: str, share: float, text: str, cells: int) -> list[Part]:
    """``Mem[|||||    2.0G/8.0G]`` in so many cells; the share is of 1."""
    inner = max(cells - len(title) - 2, 1)
    text = text[:inner]
    filled = round(max(0.0, min(share, 1.0)) * inner)
    drawn = ("|" * filled).ljust(inner)[: inner - len(text)]
    tone = Tone.GOOD if share < 0.6 else Tone.WARN if share < 0.85 else Tone.BAD
    return [
        Part(title, Tone.INFO),
        Part("["),
        Part(drawn[: drawn.rfind("|") + 1], tone),
        Part(" " * (len(drawn) - drawn.rfind("|") - 1)),
        Part(text, Tone.DIM),
        Part("]"),
    ]


def cores_text(cores: Sequence[float], most: int = 16) -> str:
    """A column for each core; the busiest of a group where there are more than fit."""
    if len(cores) > most:
        group = -(-len(cores) // most)
        cores = [max(cores[first : first + group]) for first in range(0, len(cores), group)]
    return "".join(_EIGHTHS[min(int(core / 12.5), 7)] for core in cores)


def _card(row: NodeRow, meters: Meters | None) -> list[list[Part]]:
    metrics = row.metrics
    first = [*_name(row), *_state(row)]
    if metrics is None:
        return [first, [Part("  nothing is known of it yet", Tone.DIM)], [], []]
    first += [
        Part("  load ", Tone.DIM),
        Part(" ".join(f"{load:.2f}" for load in metrics.load)),
        Part(f" {counted(metrics.jobs, 'job')} {counted(metrics.processes, 'proc')}", Tone.DIM),
    ]
    return [
        first,
        [Part("  "), *_cpu(metrics, meters, 24), Part(" "), *_cores(meters)],
        [Part("  "), *_memory(metrics, 24), Part(" "), *_swap(metrics, 22)],
        [Part("  "), *_traffic(meters), *_gpus(metrics)],
    ]


def _folded(row: NodeRow, meters: Meters | None) -> list[Part]:
    metrics = row.metrics
    line = [*_name(row, 10)]
    if metrics is None or row.state is not NodeState.ALIVE:
        line += _state(row)
    if metrics is None:
        return line
    line += [*_cpu(metrics, meters, 16), Part(" "), *_memory(metrics, 20), Part(" ")]
    if metrics.cordoned:
        line.append(Part("cordoned ", Tone.WARN))
    line += [Part("load ", Tone.DIM), Part(f"{metrics.load[0]:.2f} ")]
    if metrics.jobs:
        line.append(Part(f"{counted(metrics.jobs, 'job')} "))
    if metrics.swap_total_bytes:
        line += [*_swap(metrics, 18), Part(" ")]
    return [*line, *_traffic(meters), *_gpus(metrics)]


def _name(row: NodeRow, cells: int = 0) -> list[Part]:
    name = plain(row.name)
    tone = Tone.STRONG if row.state is NodeState.ALIVE else Tone.DIM
    return [
        _DOTS[row.state],
        Part(name + " " * max(cells - width(name) - 2, 1), tone),
    ]


def _state(row: NodeRow) -> list[Part]:
    told = [Part(row.state.value, Tone.DIM if row.state is NodeState.ALIVE else Tone.BAD)]
    if row.state is not NodeState.ALIVE:
        told.append(Part(f" {age(row.age_s)} ago", Tone.BAD))
    if row.problem:
        told.append(Part(f" {plain(row.problem)}", Tone.BAD))
    if row.metrics is not None and row.metrics.cordoned:
        told.append(Part(" cordoned", Tone.WARN))
    return [*told, Part(" ")]


def _cpu(metrics: NodeMetrics, meters: Meters | None, cells: int) -> list[Part]:
    if meters is None:
        return bar("CPU", metrics.load[0] / max(metrics.cores, 1), f"{metrics.cores} cores", cells)
    share = meters.cpu_percent
    return bar("CPU", share / 100, f"{share:.1f}%", cells)


def _cores(meters: Meters | None) -> list[Part]:
    if meters is None:
        return []
    return [Part(cores_text(meters.cores), Tone.GOOD), Part(f" {len(meters.cores)}", Tone.DIM)]


def _memory(metrics: NodeMetrics, cells: int) -> list[Part]:
    total = metrics.memory_total_bytes
    used = total - metrics.memory_available_bytes
    return bar("Mem", used / max(total, 1), used_of(used, total), cells)


def _swap(metrics: NodeMetrics, cells: int) -> list[Part]:
    total = metrics.swap_total_bytes
    used = total - metrics.swap_free_bytes
    return bar("Swp", used / max(total, 1), used_of(used, total) if total else "none", cells)


def _traffic(meters: Meters | None) -> list[Part]:
    if meters is None:
        return []
    parts = []
    if meters.pressure is not None:
        cpu, memory, io = meters.pressure
        tone = Tone.WARN if max(meters.pressure) >= 20 else Tone.PLAIN
        parts += [Part("psi ", Tone.DIM), Part(f"{cpu:.0f}/{memory:.0f}/{io:.0f}% ", tone)]
    return [
        *parts,
        Part("net ", Tone.DIM),
        Part(f"↓{size(meters.received_bytes_s)} ↑{size(meters.sent_bytes_s)} "),
        Part("disk ", Tone.DIM),
        Part(f"r{size(meters.read_bytes_s)} w{size(meters.written_bytes_s)} "),
    ]


def _gpus(metrics: NodeMetrics) -> list[Part]:
    return [
        part
        for gpu in metrics.gpus
        for part in (
            Part("GPU ", Tone.INFO),
            Part(f"{gpu.utilisation_percent:.0f}% "),
            Part(f"{used_of(gpu.memory_used_bytes, gpu.memory_total_bytes)} ", Tone.DIM),
        )
    ]


def _more(rows: Sequence[NodeRow], *, is_first: bool) -> Part:
    bad = sum(row.state is not NodeState.ALIVE for row in rows)
    nodes = f"{len(rows)} nodes" if is_first else f"and {len(rows)} more nodes"
    told = f"{bad} not alive" if bad else "all alive"
    return Part(f"{nodes}, {told}; Nodes shows them", Tone.BAD if bad else Tone.DIM)
