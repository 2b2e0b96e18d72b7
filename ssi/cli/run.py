"""``ssi run``: a command on a node, with this terminal's input, output and exit status."""

from __future__ import annotations

import os
import re
from typing import Final

from ssi.cli.fleet import Plan, run_on_many
from ssi.cli.foreground import hold
from ssi.cli.outcome import note, run_async
from ssi.cli.output import Output, tells
from ssi.cli.runoptions import (
    FANOUT,
    Bind,
    Command,
    Cwd,
    Detach,
    Env,
    Escape,
    Fanout,
    Fold,
    Lease,
    MaxFails,
    Nodes,
    NoTty,
    RootOption,
    Stdin,
    StdinAll,
    Tty,
)
from ssi.cli.settings import settings
from ssi.client.attachment import is_nothing
from ssi.client.errors import RanTooLong
from ssi.client.escape import parse_escape
from ssi.client.fleet import Orders
from ssi.client.jobs import BRIEF_MS, JobHandle
from ssi.client.limit import Limit
from ssi.client.sight import Root, Sight, with_files
from ssi.client.starting import begun, take_down
from ssi.client.system import System
from ssi.client.terminal import has_terminal, terminal_of
from ssi.client.viewer import View
from ssi.model.errors import UsageError
from ssi.model.job import LEASE_S, JobSpec

_SET: Final = re.compile(r"[][,!&^*?@]|\.\.")


@tells
def run(
    output: Output,
    command: Command,
    nodes: Nodes = None,
    fold: Fold = False,
    fanout: Fanout = FANOUT,
    max_fails: MaxFails = None,
    stdin: Stdin = "",
    stdin_all: StdinAll = False,
    tty: Tty = False,
    no_tty: NoTty = False,
    detach: Detach = False,
    env: Env = None,
    cwd: Cwd = None,
    escape: Escape = "~",
    bind: Bind = None,
    root: RootOption = Root.AUTO,
    lease_s: Lease = LEASE_S,
) -> None:
    """Run a command on a node, as yourself; on a terminal it gets one."""
    _refuse_both("--bind", bind, "--root local", root is Root.LOCAL)
    _refuse_both("--tty", tty, "--no-tty", no_tty)
    _refuse_both("--stdin", stdin, "--stdin-all", stdin_all)
    plan = Plan(
        output=output,
        orders=Orders(fanout=fanout, max_fails=max_fails, limit_s=settings().timeout_s),
        fold=fold,
        stdin="all" if stdin_all else stdin,
    )
    many = is_set(nodes) or fold or bool(plan.stdin) or output.is_data
    if many and tty:
        raise UsageError(text="one terminal is not for several nodes", hint="leave --tty out")
    terminal = not many and (tty or (not no_tty and not detach and has_terminal()))
    spec = JobSpec(
        argv=tuple(command),
        cwd=cwd if cwd is not None else _cwd(),
        cwd_fallback=cwd is None,
        environment={**_locale(), **_environment(env or [])},
        terminal=terminal_of() if terminal else None,
        detached=detach,
        lease_s=lease_s,
    )
    view = View(escape=parse_escape(escape))
    sight = Sight(root, tuple(bind or ()))
    run_async(
        lambda system: (
            _run_on_many(system, nodes, spec, plan, sight)
            if many
            else _run(system, nodes, spec, view, sight)
        ),
        runs=True,
        limited=False,
    )


def _refuse_both(one: str, has_one: object, other: str, has_other: object) -> None:
    if has_one and has_other:
        raise UsageError(text=f"{one} and {other} are opposites", hint="give one of them")


def is_set(nodes: str | None) -> bool:
    """Whether the words may stand for several nodes, or for any number, whatever there is now.

    What a script gets must not depend on how many nodes there happen to be.
    """
    return nodes == "all" or bool(nodes and _SET.search(nodes))


async def _run(system: System, node: str | None, spec: JobSpec, view: View, sight: Sight) -> int:
    place = await _place(system, node)
    spec = await with_files(system, place, spec, sight, note)
    brief = spec.terminal is None and not spec.detached and is_nothing(0)
    start = JobHandle.start(system, place, spec, wait_ms=BRIEF_MS if brief else 0, no_input=brief)
    job = await begun(system, start, take_down)
    if job.notice:
        note(job.notice)
    if spec.detached:
        print(job.row.gpid)
        return 0
    limit_s = settings().timeout_s
    async with Limit(job, limit_s) as limit:
        status = await hold(job, view)
    if limit.is_over:
        raise RanTooLong(node=job.row.node, after_s=limit_s or 0.0)
    return status


async def _run_on_many(
    system: System, nodes: str | None, spec: JobSpec, plan: Plan, sight: Sight
) -> int:
    names = await _place(system, None) if nodes is None else nodes

    async def prepare(node: str) -> JobSpec:
        return await with_files(
            system, node, spec, sight, lambda text: plan.notices.add(node, text)
        )

    return await run_on_many(system, await system.select(names), prepare, plan)


async def _place(system: System, node: str | None) -> str:
    if node is None:
        return (await system.place()).node
    return await system.select_one(node)


def _cwd() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - what the user's shell calls it
    except FileNotFoundError:
        return ""


def _locale() -> dict[str, str]:
    """What language this person reads and writes, as ssh passes it on."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in {"LANG", "LANGUAGE", "COLORTERM"} or name.startswith("LC_")
    }


def _environment(settings: list[str]) -> dict[str, str]:
    environment = {}
    for setting in settings:
        name, separator, value = setting.partition("=")
        if not name or not separator:
            raise UsageError(text=f"--env {setting!r} is no setting", hint="write --env NAME=VALUE")
        environment[name] = value
    return environment
