"""``ssi up``: make hosts nodes, over SSH."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ssi.cli.exits import highest
from ssi.cli.outcome import complain_all, note
from ssi.cli.output import Output, tells
from ssi.cli.settings import settings
from ssi.model.errors import UsageError
from ssi.model.nodeset import asks_groups, expand, fold
from ssi.view.complaints import folded_lines
from ssi.view.jsonview import JsonObject
from ssi.view.listing import Report

if TYPE_CHECKING:
    from ssi.deploy.progress import Outcome
    from ssi.deploy.target import Resolver

LabOption = Annotated[
    str, typer.Option("--lab", envvar="SSI_LAB", help="Lab whose hosts are known by name.")
]


class Profile(StrEnum):
    """Which times the heartbeats of the whole system keep."""

    LAN = "lan"
    WAN = "wan"


AcceptNewOption = Annotated[
    bool, typer.Option("--accept-new", help="Trust host keys that are seen for the first time.")
]


InventoryOption = Annotated[
    str,
    typer.Option(
        "--inventory",
        "-i",
        metavar="ssh|clustershell|FILE",
        help="Whose hosts and groups HOST... names: those of ~/.ssh/config, of ClusterShell, or of "
        "a file that `ansible-inventory --list` wrote, - for stdin.",
    ),
]


@tells
def up(
    output: Output,
    hosts: Annotated[
        list[str] | None,
        typer.Argument(metavar="HOST...", help="As ssh knows them: n1, ada@web, n1..n3, 'n[1-3]'."),
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Those that failed last time.")] = False,
    agent_only: Annotated[
        bool, typer.Option("--agent-only", help="Leave the ssi command out there.")
    ] = False,
    accept_new: AcceptNewOption = False,
    profile: Annotated[
        Profile | None,
        typer.Option(
            "--profile",
            help="How far apart all nodes are: heartbeats for one site (lan) or for many (wan).",
        ),
    ] = None,
    inventory: InventoryOption = "",
    lab: LabOption = "lab",
) -> None:
    """Make hosts nodes: twice is harmless, and repairs or updates them.

    A host needs sshd and Python 3.11, nothing else. Jobs that run there go on.
    """
    from ssi.cli.progress import Display
    from ssi.client import paths
    from ssi.deploy import cluster
    from ssi.deploy.bundle import Bundler
    from ssi.deploy.deployment import Deployment
    from ssi.deploy.hostkey import Trust
    from ssi.deploy.inventory.inventory import Inventory, read_inventory
    from ssi.deploy.limit import Limit
    from ssi.deploy.wheels import WheelStore

    limit = Limit(settings().timeout_s)
    known = read_inventory(inventory, hosts or []) if inventory else Inventory(hosts=())
    names = known.select(hosts or []) if inventory else names_of(hosts or [])
    if known.left_out:
        note(f"left out, for Ansible does not reach them by ssh: {fold(known.left_out)}")
    with cluster.exclusive(" ".join(["ssi up", *(hosts or [])]), limit):
        if retry:
            names = list(dict.fromkeys([*names, *cluster.load_failed()]))
            if not names:
                note("no host failed last time")
                return
        if not names:
            raise UsageError(text="no host is named", hint="try `ssi up n1..n3`, or --retry")
        bundler = Bundler(WheelStore(paths.cache_dir() / "wheels"))
        with Display(names) as display:
            trust = Trust(accept_new=accept_new, ask=display.ask if sys.stdin.isatty() else None)
            deployment = Deployment(
                resolver_of(lab, {**_ways_of_nodes(), **known.ways}),
                bundler,
                trust,
                display,
                agent_only=agent_only,
                profile=profile.value if profile is not None else None,
                limit=limit,
            )
            outcomes = deployment.run(names)
        cluster.save_failed([each.host for each in outcomes if each.error is not None])
    note_untold(deployment.untold)
    finish(outcomes, "up", time.monotonic() - limit.began_s, output)


def names_of(texts: Sequence[str]) -> list[str]:
    """The hosts that the arguments stand for, each once, in their order.

    ``all`` and groups are those of this user; a host need not be a node yet.

    Raises:
        NodesetInvalid: One of them cannot be read.
    """
    from ssi.client import paths
    from ssi.client.nodegroups import FILE, written_groups
    from ssi.deploy import cluster

    if not any(asks_groups(text) for text in texts):
        return list(dict.fromkeys(name for text in texts for name in expand(text)))
    roster = cluster.load_roster()
    known = [entry.name for entry in roster.nodes] if roster is not None else []
    groups = {"all": known, **written_groups(paths.config_dir() / FILE, known)}
    return list(dict.fromkeys(name for text in texts for name in expand(text, groups)))


def _ways_of_nodes() -> dict[str, str]:
    """By what name ssh reaches nodes that were deployed by another than their own.

    A host of a lab is known by its name in any lab, so that lab need not be the one of last time.
    """
    from ssi.deploy import cluster

    roster = cluster.load_roster()
    ways = {entry.name: entry.ssh_target for entry in roster.nodes} if roster is not None else {}
    return {
        name: way
        for name, way in ways.items()
        if way not in {"", name}
        and not (way.startswith("lab:") and re.split("[:@]", way)[-1] == name)
    }


def resolver_of(lab: str, ways: Mapping[str, str] | None = None) -> Resolver:
    """Finds hosts as ssh does, and those of this machine's labs.

    Args:
        lab: The one whose hosts are known by their plain names.
        ways: What ssh is told instead of a host's name, for hosts of an inventory.
    """
    from ssi.deploy.target import KnownLab, Resolver
    from ssi.lab import Lab

    def find_lab(name: str) -> KnownLab | None:
        found = Lab.find(name)
        if found is None:
            return None
        return KnownLab(name, found.blueprint.hosts, found.ssh_config)

    return Resolver(lab, find_lab, ways or {})


def note_untold(nodes: Sequence[str]) -> None:
    """Tells of nodes that go on with the roster that they have."""
    if nodes:
        names = fold(nodes)
        note(
            f"{names} could not be told of the change; `ssi up {names}` does it when they are back"
        )


def finish(outcomes: Sequence[Outcome], state: str, took_s: float, output: Output) -> None:
    """Tells how it went, one line per failure, and ends with a status that fits.

    Raises:
        typer.Exit: Some host failed: with the highest exit code.
    """
    output.told(
        Report(
            lines=(),
            results=[_result(each) for each in outcomes],
            named=[each.host for each in outcomes if each.error is None],
        )
    )
    failures = {each.host: each.error for each in outcomes if each.error is not None}
    complain_all(folded_lines(failures))
    errors = list(failures.values())
    well = len(outcomes) - len(errors)
    note(f"{well} of {len(outcomes)} hosts {state} in {took_s:.1f} s")
    if errors:
        raise typer.Exit(highest(error.exit_code for error in errors))


def _result(outcome: Outcome) -> JsonObject:
    error = outcome.error
    return {
        "host": outcome.host,
        "done": outcome.done if error is None else None,
        "took_s": round(sum(step.took_s for step in outcome.steps), 3),
        "error": None if error is None else error.word,
        "reason": None if error is None else error.what(),
    }
