"""The jobs and processes of several nodes, each once, also of jobs that move while they are listed.

Nodes answer one after the other. A job that goes from one that has not answered yet to one that has
is in neither answer, and the other way round in both. What the nodes say of its whereabouts tells
which of them to believe, and which to ask again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from ssi.client.system import PAUSES_S, Answers, System
from ssi.model.node import NodeRow
from ssi.protocol.system import JobList, ListJobs, ListProcesses, ProcessList

ListT = TypeVar("ListT", JobList, ProcessList)


async def list_jobs(
    system: System, nodes: Sequence[NodeRow], timeout_s: float | None = None
) -> Answers[JobList]:
    """The jobs of these nodes; never raises for a node that fails, as :meth:`System.gather`."""
    return await _settled(
        lambda asked: system.gather(ListJobs(), JobList, asked, timeout_s),
        nodes,
        lambda row: row.gpid,
    )


async def list_processes(
    system: System,
    request: ListProcesses,
    nodes: Sequence[NodeRow],
    timeout_s: float | None = None,
) -> Answers[ProcessList]:
    """The processes of these nodes; never raises for a node that fails."""
    return await _settled(
        lambda asked: system.gather(request, ProcessList, asked, timeout_s),
        nodes,
        lambda row: row.job,
    )


async def _settled(
    ask: Callable[[Sequence[NodeRow]], Awaitable[Answers[ListT]]],
    nodes: Sequence[NodeRow],
    job_of: Callable[[Any], int],  # Any: a row of whichever list
) -> Answers[ListT]:
    answers = await ask(nodes)
    for pause_s in PAUSES_S:
        early = _too_early(answers.replies)
        if not early:
            break
        await asyncio.sleep(pause_s)
        again = await ask([row for row in nodes if row.name in early])
        answers.replies |= again.replies  # of a node that fails now, the first answer stands
    owners = _owners(answers.replies)
    for name, reply in answers.replies.items():
        own = _own(name, reply)
        rows = [row for row in reply.rows if own.get(job_of(row), 0) >= owners.get(job_of(row), 0)]
        if len(rows) < len(reply.rows):
            answers.replies[name] = msgspec.structs.replace(reply, rows=tuple(rows))
    return answers


def _too_early(replies: Mapping[str, ListT]) -> set[str]:
    """The nodes that answered before a job came to them of which others know that it did."""
    owners = _owners(replies)
    return {
        each.node
        for reply in replies.values()
        for each in reply.whereabouts
        if each.node in replies and each.epoch > owners.get(each.gpid, 0)
    }


def _owners(replies: Mapping[str, ListT]) -> dict[int, int]:
    """The latest epoch of each job by the word of who has it then, or where it has ended."""
    latest: dict[int, int] = {}
    for name, reply in replies.items():
        for each in reply.whereabouts:
            if each.node in {name, ""}:
                latest[each.gpid] = max(each.epoch, latest.get(each.gpid, 0))
    return latest


def _own(name: str, reply: JobList | ProcessList) -> dict[int, int]:
    """The epochs of the jobs that a node has, by its own word."""
    return {each.gpid: each.epoch for each in reply.whereabouts if each.node == name}
