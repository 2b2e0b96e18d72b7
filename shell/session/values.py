"""What the line editor is told of a session: where it is, how the last line ended, its jobs."""

from __future__ import annotations

from dataclasses import dataclass

from ssi.model.node import NodeState


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where the next line runs.

    Attributes:
        node: Name of it.
        cwd: Directory there.
        user: Who the person is there.
        home: Directory that is shown as ``~``.
        state: Of the node.
    """

    node: str
    cwd: str
    user: str
    home: str
    state: NodeState = NodeState.ALIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a line ended.

    Attributes:
        line: As it was typed.
        status: ``$?`` after it.
        statuses: ``PIPESTATUS`` after it.
        duration_s: From Enter to its end, or to where it was stopped.
        gpids: Jobs that it started.
        node: Where the session was when it began.
        cwd: Directory there when it began.
    """

    line: str
    status: int
    statuses: tuple[int, ...]
    duration_s: float
    gpids: tuple[int, ...] = ()
    node: str
    cwd: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """A job of this shell as ``jobs`` shows it.

    Attributes:
        number: ``%number``.
        mark: ``+`` for ``%+``, ``-`` for ``%-``, else a space.
        gpid: Its first process.
        node: Where it is now.
        state: ``Running``, ``Stopped``, ``Done``, ... as bash has it.
        command: As it was typed.
    """

    number: int
    mark: str
    gpid: int
    node: str
    state: str
    command: str


@dataclass(eq=False)
class ShellLeft(Exception):
    """The person left: ``exit``, ``logout``, or the bash ended itself.

    Attributes:
        status: Of the shell.
    """

    status: int
