"""What a command needs of a node: ``mem>8G``, ``cores>=4,load<1``, ``arch=x86_64``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Final

from shell.errors import NeedInvalid
from ssi.model.node import NodeMetrics, NodeRow

_TERM: Final = re.compile(r"\s*([a-z]+)\s*(>=|<=|=|>|<)\s*([A-Za-z0-9_.]+)\s*")
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)([KMGT]?)i?B?")
_FACTORS: Final = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}

_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}

_NUMBERS: Final[dict[str, Callable[[NodeMetrics], float]]] = {
    "mem": lambda metrics: metrics.memory_available_bytes,
    "swap": lambda metrics: metrics.swap_free_bytes,
    "disk": lambda metrics: metrics.disk_free_bytes,
    "cores": lambda metrics: metrics.cores,
    "load": lambda metrics: metrics.load[0],
    "gpu": lambda metrics: len(metrics.gpus),
    "jobs": lambda metrics: metrics.jobs,
}
"""Free memory, swap and disk in bytes, cores, the load of a minute, GPUs, jobs of ssi."""


def fitting(need: str, rows: Sequence[NodeRow]) -> list[NodeRow]:
    """The nodes that have all that is needed, as they were last heard of.

    Raises:
        NeedInvalid: It cannot be read.
    """
    tests = [_test(term, need) for term in need.split(",")]
    return [
        row for row in rows if row.metrics is not None and all(test(row.metrics) for test in tests)
    ]


def _test(term: str, need: str) -> Callable[[NodeMetrics], bool]:
    match = _TERM.fullmatch(term)
    if match is None:
        raise NeedInvalid(text=need)
    name, sign, value = match.groups()
    if name == "arch" and sign == "=":
        return lambda metrics: metrics.arch == value
    size = _SIZE.fullmatch(value)
    if name not in _NUMBERS or size is None:
        raise NeedInvalid(text=need)
    wanted = float(size[1]) * _FACTORS[size[2]]
    return lambda metrics: _COMPARE[sign](_NUMBERS[name](metrics), wanted)
