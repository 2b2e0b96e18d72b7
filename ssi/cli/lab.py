"""``ssi lab``: throwaway Linux hosts on this machine, to try ssi on."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
import time
from collections.abc import Callable
from typing import Annotated

import typer

from ssi.cli.alarm import limited
from ssi.cli.family import family
from ssi.cli.outcome import note
from ssi.cli.output import Output, Seen, shows
from ssi.cli.settings import settings, wants_colour, wants_progress
from ssi.lab import Condition, Host, Lab
from ssi.lab.blueprint import Init
from ssi.lab.lab import DEFAULT_NAME, DEFAULT_SIZE
from ssi.model.nodeset import fold
from ssi.view.colour import paint
from ssi.view.labs import LabHost, host_listing

app = family("Throwaway Linux hosts on this machine, to try ssi on.")

NameOption = Annotated[
    str, typer.Option("--name", envvar="SSI_LAB", help="Which lab; several live side by side.")
]
HostArgument = Annotated[str, typer.Argument(metavar="HOST", help="A host of the lab, as n1.")]


@app.command()
def up(
    size: Annotated[int, typer.Argument(metavar="[N]", help="How many hosts.")] = DEFAULT_SIZE,
    name: NameOption = DEFAULT_NAME,
    subnet: Annotated[
        str | None, typer.Option(help="Their network; else the first free 10.99.K.0/24.")
    ] = None,
    systemd: Annotated[
        bool, typer.Option("--systemd", help="Their pid 1 is systemd, as on most servers.")
    ] = False,
) -> None:
    """Start hosts n1 to nN, or add and repair some: twice is harmless."""
    started = time.monotonic()
    progress = _Progress()
    try:
        with limited(f"lab {name}", "boot its hosts", _line("up", str(size), name=name)):
            init: Init | None = "systemd" if systemd else None
            lab = Lab.up(name=name, size=size, subnet=subnet, progress=progress.show, init=init)
    finally:
        progress.clear()
    elapsed_s = time.monotonic() - started
    typer.echo(f"{_headline(lab)}, up in {elapsed_s:.1f} s\n")
    _show_hosts(lab)
    typer.echo(f"\n{_next_steps(lab)}")


@app.command()
@shows
def status(
    output: Output,
    name: Annotated[str | None, typer.Option("--name", help="Only this lab.")] = None,
) -> None:
    """Show the labs of this machine, and how each of their hosts is."""
    output.text(host_listing([]))  # what cannot be shown fails before anybody is asked

    async def take() -> Seen:
        with limited("this machine", "look at its labs", "ssi lab status"):
            found = [Lab.get(name)] if name else [Lab.find(each) for each in Lab.names()]
            labs = [lab for lab in found if lab is not None]
            rows = [_row(host) for lab in labs for host in lab.hosts]
        if not labs:
            note("there is no lab on this machine; `ssi lab up` makes one")
        return Seen(listed=host_listing(rows))

    raise typer.Exit(asyncio.run(output.looks(take)))


@app.command()
def ssh(
    host: HostArgument,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- CMD ARGS]", help="What to run; a login where left out."),
    ] = None,
    name: NameOption = DEFAULT_NAME,
    user: Annotated[str, typer.Option("--user", "-l", help="root or ada.")] = "root",
    show: Annotated[bool, typer.Option("--print", help="Only print the ssh command.")] = False,
) -> None:
    """Log in to a host, or run a command there; the exit status is the command's.

    One word after ``--`` is a line for the shell there; several are a program and its arguments.
    """
    line = Lab.get(name).host(host).ssh_command(user=user)
    words = command or []
    if words:
        line += ["--", words[0] if len(words) == 1 else shlex.join(words)]
    limit_s = settings().timeout_s
    if limit_s is not None:
        line = ["timeout", "--foreground", f"{limit_s:g}", *line]  # 124 is its status, too
    if show:
        typer.echo(shlex.join(line))
        return
    sys.stdout.flush()
    os.execvp(line[0], line)  # noqa: S606 - ssh takes over this terminal; words, no shell


@app.command()
def down(
    name: NameOption = DEFAULT_NAME,
    everything: Annotated[bool, typer.Option("--all", help="All labs of this machine.")] = False,
) -> None:
    """Remove a lab: its processes, interfaces, namespaces and disks."""
    existing = Lab.names()
    again = "ssi lab down --all" if everything else _line("down", name=name)
    names = existing if everything else [name]
    with limited(f"lab {' and '.join(names)}", "remove it", again):
        for each in names:
            Lab.remove(each)
            typer.echo(f"lab {each} is gone" if each in existing else f"there was no lab {each}")
            forgotten = _forget_nodes(each)
            if forgotten:
                note(f"{fold(forgotten)} went with it, and are no nodes of yours any more")


@app.command()
def kill(host: HostArgument, name: NameOption = DEFAULT_NAME) -> None:
    """Kill a host as if its power failed; `ssi lab up` boots it again."""
    _change(name, host, "kill", Host.kill)


@app.command()
def pause(host: HostArgument, name: NameOption = DEFAULT_NAME) -> None:
    """Freeze a host as if it hung."""
    _change(name, host, "pause", Host.pause)


@app.command()
def resume(host: HostArgument, name: NameOption = DEFAULT_NAME) -> None:
    """Let a paused host run on."""
    _change(name, host, "resume", Host.resume)


@app.command()
def cut(host: HostArgument, name: NameOption = DEFAULT_NAME) -> None:
    """Pull a host's network cable; it runs on."""
    _change(name, host, "cut", Host.cut)


@app.command()
def heal(host: HostArgument, name: NameOption = DEFAULT_NAME) -> None:
    """Plug a host's network cable in again."""
    _change(name, host, "heal", Host.heal)


def _change(lab_name: str, host_name: str, verb: str, change: Callable[[Host], None]) -> None:
    with limited(host_name, verb, _line(verb, host_name, name=lab_name)):
        host = Lab.get(lab_name).host(host_name)
        change(host)
    typer.echo(f"{host.name} {host.condition}")


def _line(*words: str, name: str) -> str:
    """A command on a lab as one would type it."""
    named = () if name == DEFAULT_NAME else ("--name", name)
    return " ".join(("ssi", "lab", *words, *named))


class _Progress:
    """What takes long, on stderr: one line that is rewritten on a terminal, else one per step."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._rewrites = wants_progress()
        self._shown = ""

    def show(self, text: str) -> None:
        """Shows the step; the same one again only moves the clock."""
        if self._rewrites:
            elapsed_s = time.monotonic() - self._started
            typer.echo(f"\r\033[K{text} ({elapsed_s:.0f} s)", err=True, nl=False)
        elif text != self._shown and not settings().quiet:
            typer.echo(text, err=True)
        self._shown = text

    def clear(self) -> None:
        """Leaves the terminal's line empty for what follows."""
        if self._rewrites and self._shown:
            typer.echo("\r\033[K", err=True, nl=False)


def _headline(lab: Lab) -> str:
    count = len(lab.hosts)
    return f"lab {lab.name}: {count} host{'s' if count > 1 else ''} on {lab.blueprint.subnet}"


def _show_hosts(lab: Lab) -> None:
    for host in lab.hosts:
        typer.echo(f"  {host.name:<4} {host.address:<15} {_coloured(host.condition)}")


def _coloured(condition: Condition) -> str:
    colour = "green" if condition is Condition.RUNNING else "yellow"
    return paint(condition.value, colour if wants_colour(sys.stdout) else "")


def _next_steps(lab: Lab) -> str:
    last = lab.hosts[-1].name
    hosts = "n1" if last == "n1" else f"n1..{last}"
    steps = (
        (f"ssi up {hosts}", "make them one computer"),
        (_line("ssh", "n1", name=lab.name), "log in to one of them"),
        (_line("down", name=lab.name), "remove them"),
    )
    return "\n".join(["next:", *(f"  {command:<30} {effect}" for command, effect in steps)])


def _row(host: Host) -> LabHost:
    return LabHost(
        lab=host.lab,
        host=host.name,
        address=host.address,
        condition=host.condition.value,
        pid=host.pid if host.alive else None,
        ssh_config=str(Lab.get(host.lab).ssh_config),
    )


def _forget_nodes(lab: str) -> list[str]:
    """Drops the nodes that this user had on a lab that is gone; their names.

    Raises:
        SsiError: Another command changes the nodes at this moment.
    """
    from ssi.cli.up import note_untold, resolver_of
    from ssi.deploy import cluster
    from ssi.deploy.hostkey import Trust
    from ssi.deploy.progress import Unwatched
    from ssi.deploy.removal import Removal

    roster = cluster.load_roster()
    entries = roster.nodes if roster is not None else ()
    names = [entry.name for entry in entries if entry.ssh_target.startswith(f"lab:{lab}:")]
    if names:
        with cluster.exclusive(f"ssi lab down {lab}"):
            trust = Trust(accept_new=False, ask=None)
            removal = Removal(resolver_of(lab), trust, Unwatched(), force=True, forget=True)
            removal.run(names)
        note_untold(removal.untold)
    return names
