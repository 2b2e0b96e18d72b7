"""A process's name in the whole system: one decimal integer that a person can read.

``30004321`` is pid 4321 on node 3; ``35000017`` is the 17th job process born on node 3, and keeps
that name wherever it moves. Source: ADR 0001.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

from ssi.model.errors import SsiError

Gpid = NewType("Gpid", int)

NODE_SPAN = 10_000_000
"""Numbers per node: node N owns N * NODE_SPAN up to (N + 1) * NODE_SPAN - 1."""

JOB_BASE = 5_000_000
"""Where job processes begin within a node's span; Linux pids stay below 2**22 = 4,194,304."""


@dataclass(eq=False, kw_only=True)
class GpidInvalid(SsiError):
    """A text or number that cannot be a gpid."""

    word = "gpid-invalid"
    exit_code = 2
    text: str

    def what(self) -> str:
        return f"{self.text!r} is not a gpid"

    def advice(self) -> str:
        return "a gpid is a number as `ssi ps` shows it, for instance 10004321"


@dataclass(frozen=True, slots=True, kw_only=True)
class GpidParts:
    """A gpid taken apart.

    Attributes:
        node_number: The node of the process, or of its birth for a job process; from 1.
        is_job: Whether it names a process of a job.
        local: The pid on that node, or the sequence number of a job process; from 1.
    """

    node_number: int
    is_job: bool
    local: int


def gpid_of_host_process(node_number: int, pid: int) -> Gpid:
    """The gpid of process ``pid`` of a node's own process table."""
    assert node_number >= 1
    assert 1 <= pid < JOB_BASE, pid
    return Gpid(node_number * NODE_SPAN + pid)


def gpid_of_job_process(node_number: int, sequence: int) -> Gpid:
    """The gpid of the ``sequence``-th (from 1) job process born on a node."""
    assert node_number >= 1
    assert 1 <= sequence < NODE_SPAN - JOB_BASE, sequence
    return Gpid(node_number * NODE_SPAN + JOB_BASE + sequence)


def parts_of(gpid: int) -> GpidParts:
    """Takes a gpid apart.

    Raises:
        GpidInvalid: The number names no node and process.
    """
    node_number, local = divmod(gpid, NODE_SPAN)
    if node_number < 1 or local in {0, JOB_BASE}:
        raise GpidInvalid(text=str(gpid))
    if local > JOB_BASE:
        return GpidParts(node_number=node_number, is_job=True, local=local - JOB_BASE)
    return GpidParts(node_number=node_number, is_job=False, local=local)


def parse_gpid(text: str) -> Gpid:
    """The gpid that a person typed.

    Raises:
        GpidInvalid: It is no decimal number, or no number that a gpid can be.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise GpidInvalid(text=text[:40])
    parts_of(int(text))
    return Gpid(int(text))
