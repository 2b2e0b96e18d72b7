"""``ssi down``: take ssi off hosts again."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from ssi.cli.outcome import note
from ssi.cli.output import Output, tells
from ssi.cli.settings import settings
from ssi.cli.up import AcceptNewOption, LabOption, finish, names_of, note_untold, resolver_of
from ssi.model.errors import UsageError
from ssi.model.nodeset import fold


@tells
def down(
    output: Output,
    hosts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[HOST...]", help="Nodes, or hosts by ssh; all where none is named."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="End jobs that run.")] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Drop hosts that cannot be reached, too.")
    ] = False,
    accept_new: AcceptNewOption = False,
    lab: LabOption = "lab",
) -> None:
    """Take ssi off hosts: no process and no file of it is left there."""
    from ssi.cli.progress import Display
    from ssi.deploy import cluster
    from ssi.deploy.hostkey import Trust
    from ssi.deploy.limit import Limit
    from ssi.deploy.removal import Removal

    limit = Limit(settings().timeout_s)
    with cluster.exclusive(" ".join(["ssi down", *(hosts or [])]), limit):
        names = [] if hosts == ["all"] else names_of(hosts or [])
        if not names:
            roster = cluster.load_roster()
            if roster is None:
                note("this machine belongs to no system; name a host to take it down all the same")
                return
            names = [entry.name for entry in roster.nodes]
            # A lab is for throwing away; anybody's real machines are asked for.
            if not all(entry.ssh_target.startswith("lab:") for entry in roster.nodes):
                _confirm(names, sure=yes)
                limit = Limit(settings().timeout_s)  # nobody is hurried while asked
        with Display(names) as display:
            trust = Trust(accept_new=accept_new, ask=display.ask if sys.stdin.isatty() else None)
            removal = Removal(
                resolver_of(lab), trust, display, force=force, forget=forget, limit=limit
            )
            outcomes = removal.run(names)
    note_untold(removal.untold)
    finish(outcomes, "down", time.monotonic() - limit.began_s, output)


def _confirm(names: list[str], *, sure: bool) -> None:
    if sure:
        return
    if not sys.stdin.isatty():
        raise UsageError(
            text=f"this would take down all nodes: {fold(names)}", hint="add --yes, or name some"
        )
    typer.confirm(f"Take down {len(names)} nodes: {fold(names)}?", abort=True, err=True)
