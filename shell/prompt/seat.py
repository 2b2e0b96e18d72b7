"""What the prompt needs of a session: the port between the two, which tests fill with a fake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shell.session.values import Finished, JobLine, Where


class Seat(Protocol):
    """A session, as whoever sits at its prompt sees it: :class:`shell.session.session.Session`."""

    @property
    def where(self) -> Where:
        """Where it is now."""

    async def run(self, line: str) -> Finished:
        """Runs a line, which has the terminal until it ends or is stopped.

        Raises:
            ShellLeft: The person leaves.
            SsiError: What the person should read as one line.
        """

    def interrupted(self) -> None:
        """^C was pressed at the prompt, which ``$?`` tells from then on."""

    async def incomplete(self, text: str) -> bool:
        """Whether more has to come before a text can be run."""

    def jobs(self) -> Sequence[JobLine]:
        """Its jobs, by number."""

    async def query(self, script: str, *, node: str = "", limit_s: float) -> bytes | None:
        """What a little script of bash writes, run beside the session; None where it is late."""

    def type_ahead(self, keys: bytes) -> None:
        """Takes keys that were typed behind a line: for what reads keys next."""

    def typed_ahead(self) -> bytes:
        """Keys that no program has read; they are the next line's, and given once."""

    async def notices(self) -> list[str]:
        """What is to be told before the next prompt."""
