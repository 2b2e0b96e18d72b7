"""The options of ``ssi run``: how each is written, and what the help says of it."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from ssi.client.sight import Root

FANOUT: Final = 64
"""As clush's: more at once are seldom faster, and each takes memory and descriptors here."""

Command = Annotated[list[str], typer.Argument(metavar="-- CMD [ARGS]...", help="What to run.")]

Nodes = Annotated[
    str | None,
    typer.Option(
        "--nodes",
        "--node",
        "-n",
        metavar="NODES",
        help="On this node, or at once on all of a set: all, n1..3, @gpu; else on the least "
        "loaded.",
    ),
]
Fold = Annotated[
    bool, typer.Option("--fold", "-b", help="Show equal outputs of nodes as one, at the end.")
]
Fanout = Annotated[int, typer.Option("--fanout", "-f", min=1, help="On how many nodes at once.")]
MaxFails = Annotated[
    int | None,
    typer.Option("--max-fails", min=1, help="Begin on no further node once so many failed."),
]
Stdin = Annotated[
    str, typer.Option("--stdin", metavar="NODE", help="Of several: which reads this stdin.")
]
StdinAll = Annotated[bool, typer.Option("--stdin-all", help="Each node reads all of this stdin.")]
Tty = Annotated[
    bool, typer.Option("--tty", "-t", help="Give it a terminal, also where this is none.")
]
NoTty = Annotated[
    bool, typer.Option("--no-tty", "-T", help="Give it pipes, also where this is a terminal.")
]
Detach = Annotated[
    bool, typer.Option("--detach", "-d", help="Print its gpid and leave it running.")
]
Env = Annotated[
    list[str] | None, typer.Option("--env", "-e", metavar="K=V", help="Set a variable.")
]
Cwd = Annotated[
    str | None, typer.Option("--cwd", metavar="DIR", help="Start there; else here, or at home.")
]
Escape = Annotated[
    str, typer.Option("--escape", metavar="CHAR", help="Begins ~. and ~?; `none` for none.")
]
Bind = Annotated[
    list[str] | None,
    typer.Option(
        "--bind",
        metavar="[NODE:]SRC[:DST]",
        help="Show it SRC of this machine, or of NODE, at DST, or at the same path.",
    ),
]
RootOption = Annotated[
    Root,
    typer.Option(
        "--root",
        envvar="SSI_ROOT",
        help="Whose files it sees: this machine's home and working directory over the "
        "node's own (auto), this machine's only (home), the node's only (local).",
    ),
]
Lease = Annotated[
    float,
    typer.Option(
        "--lease", metavar="SECONDS", min=0, help="How long it waits for you when cut off."
    ),
]
