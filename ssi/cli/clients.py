"""``ssi clients``: the machines that are no nodes, from which people ask; the end of a key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import typer

from ssi.cli.exits import highest
from ssi.cli.family import family
from ssi.cli.options import NodesOption
from ssi.cli.outcome import complain, note, run_async
from ssi.cli.output import Output, Seen, shows
from ssi.client.ownkey import own_public_key
from ssi.client.system import Answers, System
from ssi.model.errors import SsiError, UsageError
from ssi.model.node import is_public_key
from ssi.model.nodeset import fold
from ssi.protocol.message import Done
from ssi.protocol.system import ClientList, ListClients, RevokeClient
from ssi.view.clients import KnownKey, client_listing, known_keys

FEWEST_DIGITS: Final = 4
SPREAD_S: Final = 10.0
"""How long is waited for all living nodes to have heard; they do so within a second or two."""

EVERY_S: Final = 0.2


@dataclass(eq=False, kw_only=True)
class ClientUnknown(SsiError):
    """No key of a client is called that, or more than one is."""

    word = "client-unknown"
    exit_code = 8
    called: str
    keys: list[str]

    def what(self) -> str:
        if self.keys:
            return f"{self.called!r} may be each of the keys {', '.join(self.keys)}"
        return f"no node that answers lets in a key called {self.called!r}"

    def advice(self) -> str:
        return "`ssi clients` shows them; a whole public key is taken though no node knows it"


app = family("Show the keys that the nodes let in; `revoke KEY...` ends some.", does_something=True)


@shows
def show(output: Output, context: typer.Context, nodes: NodesOption = None) -> None:
    """Show the keys that the nodes let in: of machines that are no nodes."""
    if context.invoked_subcommand is not None:
        return

    async def take(system: System) -> Seen:
        answers = await _ask(system, nodes)
        return Seen(
            listed=client_listing(known_keys(answers.replies, own_public_key())),
            failures=answers.failures,
            missing="the keys that it lets in are not shown",
        )

    output.present(client_listing([]), take)


app.callback()(show)


@app.command()
def revoke(
    keys: Annotated[
        list[str],
        typer.Argument(metavar="KEY...", help="KEY or MACHINE of `ssi clients`, or its beginning."),
    ],
) -> None:
    """Let keys in no more, on no node; whoever has one is cut off at once, and for ever."""

    async def body(system: System) -> int:
        statuses = [0]
        for called in keys:
            try:
                await _revoke(system, called)
            except SsiError as exc:
                complain(exc)
                statuses.append(exc.exit_code)
        return highest(statuses)

    run_async(body)


async def _ask(system: System, nodes: str | None = None) -> Answers[ClientList]:
    return await system.gather(ListClients(), ClientList, await system.select(nodes))


async def _revoke(system: System, called: str) -> None:
    """One node is told, and the others hear of it by the roster; tells how far that got."""
    answers = await _ask(system)
    known = known_keys(answers.replies, own_public_key())
    public_key = chosen_key(known, called)
    rows = [row for row in known if row.public_key == public_key]
    if any(row.here for row in rows):
        raise UsageError(
            text=f"{called} is the key of this machine, which could ask nothing any more",
            hint="revoke it on a node, or from another machine",
        )
    told = [node for row in rows for node in row.nodes] or list(answers.replies)
    if not told:
        raise next(iter(answers.failures.values()))
    name = next((row.machine for row in rows), "")
    await system.ask(RevokeClient(public_key=public_key, name=name), Done, node=told[0])
    left = await _left(system, public_key)
    if left:
        note(f"{fold(left)}: not heard of yet; it spreads from node to node")
    if answers.failures:
        away = fold(answers.failures)
        note(f"{away}: no answer; who is away hears of it on coming back")


async def _left(system: System, public_key: str) -> list[str]:
    """The nodes that answer and still let the key in, once there was time to hear."""
    give_up_at_s = time.monotonic() + SPREAD_S
    while True:
        answers = await _ask(system)
        left = [
            node
            for row in known_keys(answers.replies)
            if row.public_key == public_key
            for node in row.nodes
        ]
        if not left or time.monotonic() > give_up_at_s:
            return left
        await asyncio.sleep(EVERY_S)


def chosen_key(known: Sequence[KnownKey], called: str) -> str:
    """The public key that a word means: itself, by its fingerprint or by its machine.

    Raises:
        ClientUnknown: It means none, or several.
    """
    if is_public_key(called):
        return called
    by_digits = len(called) >= FEWEST_DIGITS
    found = {
        row.public_key: row.key
        for row in known
        if row.machine == called or (by_digits and row.key.startswith(called))
    }
    if len(found) != 1:
        raise ClientUnknown(called=called, keys=sorted(found.values()))
    return next(iter(found))
