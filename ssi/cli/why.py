"""``ssi why``: which node would take a job, and why the others would not."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from ssi.cli.outcome import run_async
from ssi.cli.screen import width_cells
from ssi.client.moves import Mover
from ssi.client.system import System
from ssi.model.gpid import parse_gpid
from ssi.view import moves as view
from ssi.view.jsonview import render_json


def why(
    gpid: Annotated[str, typer.Argument(metavar="JOB", help="As `ssi jobs` shows.")],
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects.")] = False,
) -> None:
    """Show where a job could move: each node with its score, and what stands in the way there."""
    number = parse_gpid(gpid)

    async def body(system: System) -> int:
        mover = Mover(system)
        job = await mover.locate(number)
        placement = await mover.candidates(job)
        checks = await asyncio.gather(
            *(mover.check(job, suggestion.node) for suggestion in placement.suggestions)
        )
        candidates = view.candidates_of(placement.suggestions, checks, placement.rejections)
        if as_json:
            sys.stdout.write(render_json(view.candidate_objects(candidates)))
        else:
            sys.stdout.write(view.render_candidates(candidates, width_cells=width_cells()))
        return 0

    run_async(body)
