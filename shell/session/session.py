"""One session of the shell: the seam between the line editor and what runs the lines.

All coroutines belong to one asyncio loop, which is the line editor's, too. Change what is public
here only together with :mod:`shell.prompt`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from shell.session.values import Finished, JobLine, ShellLeft, Where
from ssi.client.system import System

__all__ = ["Finished", "JobLine", "Session", "ShellLeft", "Where"]


class Session:
    """Runs lines where it is.

    Attributes:
        where: Where the next line runs.
        last: How the last line ended; None before the first.
    """

    def __init__(self, system: System, where: Where) -> None:
        self.where = where
        self.last: Finished | None = None
        self._system = system

    @classmethod
    async def open(cls, system: System, node: str = "") -> Session:
        """A session on a node; empty for this machine, or where placement suggests.

        Raises:
            SsiError: There is no such node, or none fits.
        """
        place = node or (await system.nodes()).observer or (await system.place()).node
        return cls(system, Where(node=place, cwd="/", user="", home="/"))

    async def run(self, line: str) -> Finished:
        """Runs a line; owns the terminal (descriptors 0, 1, 2) until it is done or stopped.

        Raises:
            ShellLeft: For ``exit`` and ``logout``.
            SsiError: What the person should read as one line.
        """
        began_s = time.monotonic()
        if line.strip() == "exit":
            raise ShellLeft(0)
        self.last = Finished(
            line=line,
            status=0,
            statuses=(0,),
            duration_s=time.monotonic() - began_s,
            node=self.where.node,
            cwd=self.where.cwd,
        )
        return self.last

    async def incomplete(self, text: str) -> bool:
        """Whether ``bash -n`` says that more is to come."""
        return text.endswith("\\\n")

    def jobs(self) -> Sequence[JobLine]:
        """The jobs of this shell, by number."""
        return ()

    async def query(self, script: str, *, node: str = "", limit_s: float) -> bytes | None:
        """What a little bash script prints, in a bash beside the session's.

        That has the same directory and state, and an empty stdin. It never disturbs :meth:`run`.

        Args:
            script: What to run, for completions and the like.
            node: Where; empty for the session's.
            limit_s: After which it is given up.

        Returns:
            None where it did not answer in time.
        """
        return None

    async def notices(self) -> list[str]:
        """What is to be told before the next prompt: jobs that ended or stopped, lost nodes."""
        return []

    async def close(self) -> None:
        """Ends the session's bash; its jobs go on."""
