"""``ssi stop``, ``ssi cont``, ``ssi kill``: signals to any process of any node."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Sequence
from typing import Annotated

import typer

from ssi.cli.gpids import each_located, parse_gpids
from ssi.cli.outcome import run_async
from ssi.cli.output import Output, tells
from ssi.client.system import Location, System
from ssi.model.errors import UsageError
from ssi.protocol.jobs import ANY_START, SignalProcess
from ssi.protocol.message import Done
from ssi.protocol.refusals import JobMoved, LinkDown, NodeDown, NoSuchProcess

GpidArguments = Annotated[list[str], typer.Argument(metavar="GPID...", help="As `ssi ps` shows.")]


@tells
def stop(output: Output, gpids: GpidArguments) -> None:
    """Stop processes; a job's own gpid means all of its processes."""
    _send(output, gpids, signal.SIGSTOP)


@tells
def cont(output: Output, gpids: GpidArguments) -> None:
    """Let stopped processes go on."""
    _send(output, gpids, signal.SIGCONT)


@tells
def kill(
    output: Output,
    words: Annotated[
        list[str], typer.Argument(metavar="[-SIGNAL] GPID...", help="TERM, unless named.")
    ],
    name: Annotated[
        str | None, typer.Option("--signal", "-s", help="Name or number of the signal.")
    ] = None,
) -> None:
    """Send a signal, TERM by default, to processes."""
    texts = [word for word in words if word != "--"]
    if name is None and texts and texts[0].startswith("-"):
        name = texts.pop(0)[1:]
    _send(output, texts, parse_signal(name) if name is not None else signal.SIGTERM)


def parse_signal(text: str) -> int:
    """The signal that a person named: ``9``, ``KILL``, ``SIGKILL``, ``rtmin+1``.

    Raises:
        UsageError: There is none of that name or number.
    """
    if text.isdigit() and int(text) < signal.NSIG:
        return int(text)
    name, plus, offset = text.upper().removeprefix("SIG").partition("+")
    known = signal.Signals.__members__.get(f"SIG{name}")
    if known is None or (plus and not (name == "RTMIN" and offset.isdigit())):
        hint = "name it as in signal(7), for instance TERM, KILL, HUP, or by its number"
        raise UsageError(text=f"there is no signal {text!r}", hint=hint)
    return int(known) + int(offset or 0)


async def signal_each(
    system: System, gpids: Sequence[int], number: int, output: Output | None = None
) -> int:
    """Sends a signal to each process; as :func:`ssi.cli.gpids.each_located`."""
    unsure: dict[tuple[int, str], bytes] = {}

    async def at_once(gpid: int, node: str) -> bool:
        request = SignalProcess(gpid=gpid, start_ms=ANY_START, signal=number)
        request_id = secrets.token_bytes(16)
        try:
            await system.ask(request, Done, node=node, request_id=request_id)
        except (NoSuchProcess, JobMoved):
            return False
        except (LinkDown, NodeDown):  # it may have got it: there, it is not to get it twice
            unsure[gpid, node] = request_id
            return False
        return True

    async def deed(location: Location) -> None:
        request = SignalProcess(gpid=location.gpid, start_ms=location.start_ms, signal=number)
        request_id = unsure.get((location.gpid, location.node))
        await system.ask(request, Done, node=location.node, request_id=request_id)

    return await each_located(system, gpids, deed, output, at_once=at_once)


def _send(output: Output, texts: list[str], number: int) -> None:
    gpids = parse_gpids(texts)
    run_async(lambda system: signal_each(system, gpids, number, output))
