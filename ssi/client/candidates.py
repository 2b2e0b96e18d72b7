"""What a word may become, as far as the system answers at once.

Nothing that fails is told: a shell asks while somebody types.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from ssi.client.connection import Connection
from ssi.client.files.guest import Guest
from ssi.client.files.place import absolute, joined, parse_place
from ssi.client.files.tree import Attributes, Tree
from ssi.client.listings import list_jobs, list_processes
from ssi.client.nodegroups import expand_among
from ssi.client.system import System
from ssi.model.errors import SsiError
from ssi.model.job import JobState
from ssi.model.node import NodeState
from ssi.protocol.checkpoints import CheckpointList, ListCheckpoints
from ssi.protocol.system import ListProcesses

PATIENCE_S: Final = 0.2
"""Within so long a person does not notice. Shells end this after it."""

OURS: Final = 0.75
"""The part of it that is ours; the rest is for what starts this, and for the shell."""

EACH: Final = 0.5
"""Likewise for each node: those that answer in time are shown, whatever the others do."""

MAX_CANDIDATES: Final = 500
_SET: Final = re.compile(r"(.*[,!&^])?([^,!&^]*)", re.DOTALL)

Candidate = tuple[str, str]
"""What the word may become, and what that is."""

Source = Callable[[System, str], Awaitable[Iterable[Candidate]]]


def patience() -> float:
    """How long a person is ready to wait, in seconds; ``SSI_COMPLETION_SECONDS`` says otherwise.

    Raises:
        ValueError: That is no number.
    """
    return float(os.environ.get("SSI_COMPLETION_SECONDS") or PATIENCE_S)


async def candidates(kind: str, word: str) -> list[Candidate]:
    """What a word of a kind may become; nothing where that is not known at once."""
    source = SOURCES.get(kind)
    if source is None:
        return []
    try:
        patience_s = patience()
        async with asyncio.timeout(patience_s * OURS):
            async with await Connection.open() as connection:
                found = await source(System(connection, timeout_s=patience_s * EACH), word)
    except (SsiError, TimeoutError, OSError, ValueError):
        return []
    return [each for each in found if each[0].startswith(word)][:MAX_CANDIDATES]


async def _nodes(system: System, word: str) -> Iterable[Candidate]:
    """Nodes, also at the end of a set of them."""
    match = _SET.fullmatch(word)
    before = (match[1] or "") if match is not None else ""
    rows = (await system.nodes()).rows
    return [(f"{before}{row.name}", _state(row.state)) for row in rows]


def _state(state: NodeState) -> str:
    return "node" if state is NodeState.ALIVE else f"node, {state.value}"


async def _hosts(system: System, word: str) -> Iterable[Candidate]:
    """Nodes, and what ssh knows by name."""
    named = [(name, "ssh") for name in _of_ssh(Path.home() / ".ssh/config")]
    return [*await _nodes(system, word), *named]


def _of_ssh(config: Path) -> list[str]:
    try:
        lines = config.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    words = [line.split() for line in lines]
    hosts = [name for first, *names in filter(None, words) if first.lower() == "host"
             for name in names]  # fmt: skip
    return [name for name in hosts if not set(name) & set("*?!")]


async def _jobs(system: System, _word: str) -> Iterable[Candidate]:
    answers = await list_jobs(system, await system.select(None))
    rows = [row for reply in answers.replies.values() for row in reply.rows]
    rows.sort(key=lambda row: (row.state is JobState.EXITED, -row.start_ms))
    return [
        (str(row.gpid), f"{_command(row.argv)} ({row.state.value}, {row.node})") for row in rows
    ]


def _command(argv: Sequence[str]) -> str:
    """A command on one row."""
    return " ".join(" ".join(argv).split())[:60]


async def _gpids(system: System, _word: str) -> Iterable[Candidate]:
    """Processes of the user, newest first."""
    own = pwd.getpwuid(os.geteuid()).pw_name
    answers = await list_processes(system, ListProcesses(), await system.select(None))
    rows = [(node, row) for node, reply in answers.replies.items() for row in reply.rows]
    rows.sort(key=lambda found: (found[1].user != own, -found[1].started_at_s))
    return [
        (str(row.gpid), f"{_command(row.command) or f'[{row.name}]'} ({node})")
        for node, row in rows
    ]


async def _movable(system: System, word: str) -> Iterable[Candidate]:
    """Jobs, and the node where they are to go."""
    jobs, nodes = await asyncio.gather(_jobs(system, word), _nodes(system, word))
    return [*jobs, *nodes]


async def _checkpoints(system: System, _word: str) -> Iterable[Candidate]:
    rows = await system.select(None)
    answers = await system.gather(ListCheckpoints(), CheckpointList, rows)
    names = [row.name for reply in answers.replies.values() for row in reply.rows]
    return [(name, "checkpoint") for name in names]


async def _places(system: System, word: str) -> Iterable[Candidate]:
    """Nodes, and behind their colon what is in their directories."""
    place = parse_place(word)
    if place.is_here:
        if "/" in word:
            return []
        return [(f"{name}:", about) for name, about in await _nodes(system, word)]
    rows = (await system.nodes()).rows
    node = min(expand_among(place.nodes, rows))
    async with Guest(system, system.timeout_s or PATIENCE_S) as guest:
        tree = await guest.tree(node)
        typed, slash, begun = place.path.rpartition("/")
        folder = await tree.resolve(absolute(typed + slash, tree.home), follow=True)
        entries = sorted(await tree.list(folder), key=lambda entry: entry[0])
        wanted = begun.encode("utf-8", "surrogateescape")
        shown = [
            entry
            for entry in entries
            if entry[0].startswith(wanted) and (begun or not entry[0].startswith(b"."))
        ][:MAX_CANDIDATES]
        ends = [await _end(tree, folder, *entry) for entry in shown]
    head = f"{place.nodes}:{typed}{slash}"
    names = [name.decode("utf-8", "surrogateescape") for name, _ in shown]
    return [(f"{head}{name}{end}", "") for name, end in zip(names, ends, strict=True)]


async def _end(tree: Tree, folder: bytes, name: bytes, attributes: Attributes) -> str:
    """A slash behind directories, also those that a link leads to."""
    if attributes.is_link:
        try:
            attributes = await tree.look(await tree.resolve(joined(folder, name), follow=True))
        except OSError:
            return ""
    return "/" if attributes.is_directory else ""


SOURCES: Final[dict[str, Source]] = {
    "nodes": _nodes,
    "hosts": _hosts,
    "jobs": _jobs,
    "gpids": _gpids,
    "movable": _movable,
    "checkpoints": _checkpoints,
    "places": _places,
}
