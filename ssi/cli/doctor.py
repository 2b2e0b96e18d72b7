"""``ssi doctor``: what this machine and each node need, and the command that mends it."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import stat
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from nodeagent.mechanism.limits import limits_here
from ssi.cli.options import NodesArgument, set_of
from ssi.cli.outcome import complain
from ssi.cli.output import Output, Seen, shows
from ssi.cli.settings import settings
from ssi.client import paths
from ssi.client.connection import Connection
from ssi.client.shfmt import shfmt
from ssi.client.system import System
from ssi.model.errors import SsiError
from ssi.model.examination import Finding, Verdict, lacking
from ssi.model.node import NodeRow, NodeState
from ssi.policy import health
from ssi.policy.limits import judge_limits
from ssi.protocol.clients import ListServed, ServedList
from ssi.protocol.system import Examine, Examined, ListNodes, NodeList
from ssi.version import VERSION
from ssi.view.findings import Diagnosis


@shows
def doctor(
    output: Output,
    nodes: NodesArgument = None,
    everything: Annotated[
        bool, typer.Option("--all", "-a", help="Show also what is well.")
    ] = False,
) -> None:
    """Examine this machine and the nodes: what is missing, and how to mend it."""
    blank = Diagnosis(findings=(), everything=everything)
    output.text(blank)  # what cannot be shown fails before anybody is asked

    async def take() -> Seen:
        findings = await _examine(set_of(nodes))
        failed = any(each.verdict is Verdict.FAIL for each in findings)
        return Seen(listed=replace(blank, findings=findings), exit_code=1 if failed else 0)

    raise typer.Exit(asyncio.run(output.looks(take)))


async def _examine(nodes: str | None) -> list[Finding]:
    findings = examine_here()
    try:
        connection = await Connection.open()
    except SsiError as exc:
        remedy = "ssi up HOST..."
        told = Finding(
            where="here", check="system", verdict=Verdict.FAIL, text=exc.what(), remedy=remedy
        )
        return [*findings, told]
    async with connection:
        system = System(connection, timeout_s=settings().timeout_s)
        findings += await examine_service(system)
        return [*findings, *await examine_nodes(system, await system.select(nodes))]


def examine_here() -> list[Finding]:
    """This machine, from which commands are typed."""
    return [
        Finding(
            where="here",
            check="python",
            verdict=Verdict.OK,
            text=f"python {platform.python_version()}, ssi {VERSION}",
        ),
        _program("ssh", "openssh-client", "`ssi up` reads ~/.ssh/config by itself"),
        _program("perl", "perl-base", "each command starts anew, in 125 ms instead of 9"),
        health.judge_shell("here", _shell_lacks(), "uv tool install --reinstall ssi"),
        health.judge_keys("here", _open_keys((paths.client_key(),))),
        *judge_limits("here", limits_here(), is_root=os.geteuid() == 0),
    ]


def _shell_lacks() -> tuple[str, ...]:
    """Of what the shell reads and colours lines with, what is not installed beside us."""
    return lacking(shfmt=shfmt() is not None, grammar=find_spec("tree_sitter_bash") is not None)


def _program(name: str, package: str, without: str) -> Finding:
    """One that is used where it is there."""
    is_there = shutil.which(name) is not None
    return Finding(
        where="here",
        check=name,
        verdict=Verdict.OK if is_there else Verdict.WARN,
        text=f"{name} is installed" if is_there else f"{name} is not installed: {without}",
        remedy="" if is_there else f"apt-get install {package}",
    )


async def examine_service(system: System) -> list[Finding]:
    """Of a machine that is no node: which jobs elsewhere need its files."""
    if not (await system.nodes()).client:
        return []
    served = await system.ask(ListServed(), ServedList)
    return health.judge_served(served.rows)


async def examine_nodes(system: System, rows: list[NodeRow]) -> list[Finding]:
    """All nodes at once, each by itself and beside the others."""
    alive = [row for row in rows if row.state is NodeState.ALIVE]
    examined, views = await asyncio.gather(
        system.gather(Examine(), Examined, alive), system.gather(ListNodes(), NodeList, alive)
    )
    facts = {name: reply.facts for name, reply in examined.replies.items()}
    findings: list[Finding] = []
    for row in rows:
        findings += health.judge_row(row)
        if row.name in facts:
            findings += health.judge_node(row.name, facts[row.name], ours=VERSION)
        elif row.name in examined.failures:
            error = examined.failures[row.name]
            complain(error)
            findings.append(
                Finding(
                    where=row.name,
                    check="agent",
                    verdict=Verdict.FAIL,
                    text=error.what(),
                    remedy=f"ssi up {row.name}",
                )
            )
    findings += health.judge_criu_versions(facts)
    seen = {name: reply.rows for name, reply in views.replies.items()}
    return [*findings, *health.judge_views(seen)]


def _open_keys(files: tuple[Path, ...]) -> list[str]:
    found = []
    for file in files:
        mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else 0o600
        if mode & 0o077:
            found.append(f"{file} {mode:04o}")
    return found
