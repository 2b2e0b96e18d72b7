"""How a command of a line becomes a job: bash with what the session holds, and its text."""

from __future__ import annotations

import os

from shell.session.resident import sight
from ssi.client.jobs import JobHandle
from ssi.client.sight import with_files
from ssi.client.system import System
from ssi.client.terminal import terminal_of
from ssi.model.job import LEASE_S, JobSpec

LOCALE = ("LANG", "LANGUAGE", "COLORTERM")


async def start_job(
    system: System,
    node: str,
    text: str,
    *,
    cwd: str,
    state: str,
    home: str,
    background: bool = False,
    statuses: str = "",
) -> JobHandle:
    """Starts a piece of a line as a job with a terminal.

    Args:
        system: To ask.
        node: Where it runs.
        text: For bash.
        cwd: Directory.
        state: Path, on the node of the session, of what the session holds.
        home: The node of the session.
        background: It goes on whatever becomes of the shell.
        statuses: Path, on the node of the session, where it tells how its commands ended.

    Raises:
        SsiError: It was not started, or whether it was is unknown.
    """
    spec = JobSpec(
        argv=("bash", "-c", text),
        cwd=cwd,
        environment=_environment(node, home, state, statuses),
        terminal=terminal_of(),
        lease_s=0.0 if background else LEASE_S,
    )
    spec = await with_files(system, node, spec, sight(), lambda _: None)
    return await JobHandle.start(system, node, spec)


async def piped_spec(
    system: System,
    node: str,
    text: str,
    *,
    cwd: str,
    state: str,
    home: str,
    background: bool = False,
    shows: bool = False,
) -> JobSpec:
    """A stage of a pipeline over several nodes: as :func:`start_job`, with pipes.

    One that ``shows`` is the last and has the terminal: for its output, and for keys by /dev/tty.
    """
    spec = JobSpec(
        argv=("bash", "-c", text),
        cwd=cwd,
        environment=_environment(node, home, state, ""),
        terminal=terminal_of() if shows else None,
        piped_stdin=shows,
        lease_s=0.0 if background else LEASE_S,
    )
    return await with_files(system, node, spec, sight(), lambda _: None)


def _environment(node: str, home: str, state: str, statuses: str) -> dict[str, str]:
    reach = "" if node == home else f"/ssi/n/{home}"
    environment = locale()
    if state:
        environment["BASH_ENV"] = f"{reach}{state}"
    if statuses:
        environment["SSI_STATUSES"] = f"{reach}{statuses}"
    return environment


def locale() -> dict[str, str]:
    """What language this person reads and writes."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in LOCALE or name.startswith("LC_")
    }
