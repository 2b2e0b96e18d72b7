"""``ssi sbatch``: a script that runs by itself, with what its ``#SBATCH`` lines ask for."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from typer.main import get_command

from ssi.cli.outcome import note, run_async
from ssi.cli.slurm import script
from ssi.cli.slurm.options import (
    Cores,
    ErrorFile,
    Exclude,
    Gres,
    Memory,
    Name,
    NodeCount,
    NodeList,
    OutFile,
    Tasks,
    Wanted,
    wanted,
)
from ssi.cli.slurm.srun import spec_of
from ssi.client.jobs import JobHandle
from ssi.client.sight import usual_sight, with_files
from ssi.client.system import System
from ssi.model.errors import UsageError
from ssi.policy.allocation import Share

Options = dict[str, Any]  # Any: what typer read, of whatever type the options have


def sbatch(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCRIPT] [ARGS]...", help="A shell's; stdin if left out."),
    ] = None,
    tasks: Tasks = None,
    nodes: NodeCount = None,
    cores: Cores = None,
    memory: Memory = None,
    gres: Gres = None,
    among: NodeList = None,
    without: Exclude = None,
    name: Name = None,
    out: OutFile = None,
    error: ErrorFile = None,
    wrap: Annotated[
        str | None, typer.Option("--wrap", metavar="LINE", help="This line is the script.")
    ] = None,
    parsable: Annotated[bool, typer.Option("--parsable", help="Print the number only.")] = False,
) -> None:
    """Start a script as a job of its own, as Slurm's sbatch does: at once, for there is no queue.

    It runs on the first of its nodes, and SLURM_JOB_NODELIST names all of them: `ssi srun -w` in it
    reaches the others. `ssi logs JOB` has its output where -o names no file.
    """
    path, *arguments = words or [""]
    text = f"#!/bin/sh\n{wrap}\n" if wrap is not None else _text_of(path)
    given: Options = {
        "tasks": tasks,
        "nodes": nodes,
        "cores": cores,
        "memory": memory,
        "gres": gres,
        "among": among,
        "without": without,
        "name": name,
        "out": out,
        "error": error,
    }
    written = _written(script.directives(text))
    options = {key: written[key] if value is None else value for key, value in given.items()}
    title = options["name"] or ("wrap" if wrap is not None else Path(path or "sbatch").name)
    files = (options.pop("out") or "", options.pop("error") or "")
    asked = wanted(**{**options, "name": title})
    command = script.command_of(text, path or title, arguments)
    command = script.redirected(command, *files, title, getpass.getuser())

    async def body(system: System) -> int:
        gpid = await _start(system, asked, command)
        print(gpid if parsable else f"Submitted batch job {gpid}")
        return 0

    run_async(body)


async def _start(system: System, asked: Wanted, command: list[str]) -> int:
    """Starts the job on the first of its nodes; its gpid."""
    shares = await asked.shares(system)
    node = shares[0].node
    spec = spec_of(command, Share(node=node, first=0, tasks=1), asked.environment(shares))
    spec = msgspec.structs.replace(spec, detached=True)
    spec = await with_files(system, node, spec, usual_sight(), note)
    return (await JobHandle.start(system, node, spec)).row.gpid


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8") if path else sys.stdin.read()
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(text=f"the script {path} cannot be read: {exc}") from exc


def _directives(
    tasks: Tasks = None,
    nodes: NodeCount = None,
    cores: Cores = None,
    memory: Memory = None,
    gres: Gres = None,
    among: NodeList = None,
    without: Exclude = None,
    name: Name = None,
    out: OutFile = None,
    error: ErrorFile = None,
) -> None:
    """What may stand behind ``#SBATCH``."""


def _written(words: list[str]) -> Options:
    """The options that a script asks for; an unknown one is refused by its name."""
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command("#SBATCH")(_directives)
    params: Options = get_command(alone).make_context("#SBATCH", words).params
    return params
