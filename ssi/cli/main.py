"""The tree of commands. A command's module is imported when that command is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command
from typer.models import CommandInfo, TyperInfo

from ssi.cli.invocation import leave
from ssi.cli.options import with_settings
from ssi.cli.outcome import ended
from ssi.cli.shell import is_for_shell, main_of_shell
from ssi.model.errors import UsageError
from ssi.version import VERSION

COMMANDS: Final[Mapping[str, str]] = {
    "up": "ssi.cli.up:up",
    "down": "ssi.cli.down:down",
    "nodes": "ssi.cli.nodes:nodes",
    "events": "ssi.cli.events:events",
    "ps": "ssi.cli.ps:ps",
    "top": "ssi.cli.top:top",
    "free": "ssi.cli.free:free",
    "uptime": "ssi.cli.uptime:uptime",
    "run": "ssi.cli.run:run",
    "jobs": "ssi.cli.jobs:jobs",
    "wait": "ssi.cli.wait:wait",
    "logs": "ssi.cli.logs:logs",
    "attach": "ssi.cli.attach:attach",
    "disown": "ssi.cli.disown:disown",
    "stop": "ssi.cli.signals:stop",
    "cont": "ssi.cli.signals:cont",
    "kill": "ssi.cli.signals:kill",
    "freeze": "ssi.cli.freeze:freeze",
    "thaw": "ssi.cli.freeze:thaw",
    "migrate": "ssi.cli.migrate:migrate",
    "checkpoint": "ssi.cli.checkpoints:checkpoint",
    "checkpoints": "ssi.cli.checkpoints:app",
    "restore": "ssi.cli.checkpoints:restore",
    "clone": "ssi.cli.checkpoints:clone",
    "adopt": "ssi.cli.adopt:adopt",
    "why": "ssi.cli.why:why",
    "cordon": "ssi.cli.cordon:cordon",
    "uncordon": "ssi.cli.cordon:uncordon",
    "drain": "ssi.cli.drain:drain",
    "cp": "ssi.cli.cp:cp",
    "ls": "ssi.cli.ls:ls",
    "cat": "ssi.cli.cat:cat",
    "tail": "ssi.cli.tail:tail",
    "clients": "ssi.cli.clients:app",
    "mount": "ssi.cli.mount:mount",
    "umount": "ssi.cli.mount:umount",
    "srun": "ssi.cli.slurm.srun:srun",
    "sbatch": "ssi.cli.slurm.sbatch:sbatch",
    "squeue": "ssi.cli.slurm.queue:squeue",
    "scancel": "ssi.cli.slurm.queue:scancel",
    "sinfo": "ssi.cli.slurm.queue:sinfo",
    "metrics": "ssi.cli.metrics:metrics",
    "doctor": "ssi.cli.doctor:doctor",
    "explain": "ssi.cli.explain:explain",
    "man": "ssi.cli.manual.command:man",
    "schema": "ssi.cli.schema:schema",
    "lab": "ssi.cli.lab:app",
    "tour": "ssi.cli.tour:tour",
    "completion": "ssi.cli.completion.command:app",
    "__complete": "ssi.cli.completion.candidates:complete",
}
"""Where each command is: a module, and in it a function or, for one with commands of its own, an
app. The order is that of ``ssi --help``, which leaves out what shells ask (``__complete``)."""

PARSING: Final[Mapping[str, dict[str, bool]]] = {
    "run": {"allow_interspersed_args": False},  # what follows CMD is CMD's
    "srun": {"allow_interspersed_args": False},
    "sbatch": {"allow_interspersed_args": False},
    "kill": {"ignore_unknown_options": True},  # -9, -TERM
}
"""How the words of a command are read where that differs from the others."""


LOCAL: Final = frozenset({"explain", "man", "schema", "completion"})
"""Commands that wait for nobody, and so have no ``--timeout``."""

HELP: Final[dict[str, Any]] = {"help_option_names": ["-h", "--help"]}


class Commands(TyperGroup):
    """The group of all commands, in which each is made when it is first looked up.

    A command is ``Any`` here, for typer keeps its class in a private module.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands that this installation has, in the order of the table."""
        for name in COMMANDS:
            try:
                self.get_command(ctx, name)
            except UsageError:  # a node has no part that deploys
                continue
        return [name for name in COMMANDS if name in self.commands and name[0] != "_"]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name; None where there is none.

        Raises:
            UsageError: There is, but not in this installation.
        """
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            self.commands[cmd_name] = load_command(cmd_name)
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the words begin with; a typing error is shown what was meant."""
        if args[0] not in COMMANDS:
            self.list_commands(ctx)
        return super().resolve_command(ctx, args)


def load_command(name: str) -> Any:
    """Imports a command and all that it needs. Any: see :class:`Commands`.

    Raises:
        UsageError: A package that it needs is not installed here.
    """
    module, _, attribute = COMMANDS[name].partition(":")
    try:
        found: typer.Typer | Callable[..., None] = getattr(import_module(module), attribute)
    except ModuleNotFoundError as exc:
        raise UsageError(
            text=f"`ssi {name}` is not part of this installation, which has no {exc.name}",
            hint="use it on the machine from which ssi was deployed",
        ) from exc
    if isinstance(found, typer.Typer):
        return _family(found, is_remote=name not in LOCAL)
    return built(found, context_settings=PARSING.get(name), is_remote=name not in LOCAL)


@cache
def _family(family: typer.Typer, *, is_remote: bool) -> Any:
    """A command with commands of its own. Any: see :class:`Commands`."""
    own = family.registered_callback
    infos: list[CommandInfo | TyperInfo] = [*family.registered_commands]
    for info in infos if own is None else [*infos, own]:
        assert info.callback is not None
        info.callback = with_settings(info.callback, is_remote=is_remote)
    return get_command(family)


def built(
    function: Callable[..., None],
    *,
    context_settings: dict[str, Any] | None = None,
    is_remote: bool = True,
) -> Any:
    """A command from its function, with the options that all take. Any: see :class:`Commands`."""
    alone = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    alone.command(function.__name__, context_settings={**HELP, **(context_settings or {})})(
        with_settings(function, is_remote=is_remote)
    )
    return get_command(alone)


app = typer.Typer(
    name="ssi",
    cls=Commands,
    help="The Linux machines you reach over SSH, as one computer.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=HELP,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ssi {VERSION}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """The Linux machines you reach over SSH, as one computer."""


app.callback()(with_settings(_root))


@cache
def tree() -> Any:
    """All commands as one, the same at each call. Any: see :class:`Commands`."""
    return get_command(app)


def carry_out(command: Any, words: Sequence[str]) -> None:
    """Runs a command with what was typed after ``ssi``. Any: see :class:`Commands`.

    Its errors pass through: typer's own ``main`` would print some, and hide others.
    """
    with command.make_context("ssi", list(words)) as context:
        command.invoke(context)


def main() -> int:
    """Runs one command, or the shell; its exit status, negative: of that signal it is to die."""
    words = sys.argv[1:]
    if is_for_shell(words, COMMANDS):
        return main_of_shell(words)
    return ended(lambda: carry_out(tree(), words))


if __name__ == "__main__":
    leave(main())
