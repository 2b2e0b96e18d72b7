"""``ssi freeze``, ``ssi thaw``: jobs are held and let go by the cgroup freezer."""

from __future__ import annotations

from ssi.cli.gpids import each_located, parse_gpids
from ssi.cli.outcome import run_async
from ssi.cli.output import Output, tells
from ssi.cli.signals import GpidArguments
from ssi.client.system import Location, System
from ssi.protocol.jobs import FreezeJob, JobReply
from ssi.protocol.refusals import NotAJob


@tells
def freeze(output: Output, gpids: GpidArguments) -> None:
    """Hold jobs where they are; unlike with `ssi stop`, their processes cannot notice."""
    _set(output, gpids, frozen=True)


@tells
def thaw(output: Output, gpids: GpidArguments) -> None:
    """Let frozen jobs go on."""
    _set(output, gpids, frozen=False)


def _set(output: Output, texts: list[str], *, frozen: bool) -> None:
    gpids = parse_gpids(texts)

    async def body(system: System) -> int:
        async def deed(location: Location) -> None:
            if location.job != location.gpid:
                raise NotAJob(gpid=location.gpid, node=location.node)
            request = FreezeJob(gpid=location.gpid, start_ms=location.start_ms, frozen=frozen)
            await system.ask(request, JobReply, node=location.node)

        return await each_located(system, gpids, deed, output)

    run_async(body)
