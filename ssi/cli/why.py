"""``ssi why``: which node would take a job, and why the others would not."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from ssi.cli.gpids import parse_gpids
from ssi.cli.output import Output, Seen, shows
from ssi.client.moves import Mover
from ssi.client.system import Location, System
from ssi.view.moves import Candidate, candidate_listing, candidates_of


@shows
def why(
    output: Output,
    gpids: Annotated[list[str], typer.Argument(metavar="JOB...", help="As `ssi jobs` shows.")],
) -> None:
    """Show where jobs could move: each node with its score, and what stands in the way there."""
    numbers = parse_gpids(gpids)

    async def take(system: System) -> Seen:
        mover = Mover(system)
        found = await asyncio.gather(*(_candidates(mover, number) for number in numbers))
        return Seen(listed=candidate_listing([each for some in found for each in some]))

    output.present(candidate_listing([]), take)


async def _candidates(mover: Mover, gpid: int) -> list[Candidate]:
    return await mover.follow(await mover.locate(gpid), lambda job: _candidates_of(mover, job))


async def _candidates_of(mover: Mover, job: Location) -> list[Candidate]:
    placement = await mover.candidates(job)
    checks = await asyncio.gather(
        *(mover.check(job, suggestion.node) for suggestion in placement.suggestions)
    )
    return candidates_of(job.job, placement.suggestions, checks, placement.rejections)
