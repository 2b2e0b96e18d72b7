"""The tree of commands."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ssi.cli import (
    attach,
    down,
    free,
    jobs,
    lab,
    logs,
    migrate,
    nodes,
    ps,
    run,
    signals,
    up,
    uptime,
    wait,
)
from ssi.cli.outcome import ended
from ssi.version import VERSION

app = typer.Typer(
    name="ssi",
    help="The Linux machines you reach over SSH, as one computer.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ssi {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """The Linux machines you reach over SSH, as one computer."""


app.command()(up.up)
app.command()(down.down)
app.command()(nodes.nodes)
app.command()(ps.ps)
app.command()(free.free)
app.command()(uptime.uptime)
app.command(context_settings={"allow_interspersed_args": False})(run.run)
app.command()(jobs.jobs)
app.command()(wait.wait)
app.command()(logs.logs)
app.command()(attach.attach)
app.command()(signals.stop)
app.command()(signals.cont)
app.command(context_settings={"ignore_unknown_options": True})(signals.kill)
app.command()(migrate.migrate)
app.add_typer(lab.app)


def main() -> int:
    """Runs one command; its exit status."""
    return ended(app)


if __name__ == "__main__":
    sys.exit(main())
