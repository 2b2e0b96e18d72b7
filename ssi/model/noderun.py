"""How a command went on one of many nodes."""

from __future__ import annotations

from dataclasses import dataclass

from ssi.model.errors import SsiError


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRun:
    """A command that is through on a node.

    Attributes:
        gpid: Of the job; 0 where none was started.
        exit_status: Of the command; None where it is unknown or it was left running.
        killed_by: The signal that ended it; 0 for none.
        error: Why ssi failed; None where it did not.
        notice: What the user should know of its start, a sentence; empty: nothing.
        took_s: From when its turn came.
    """

    node: str
    gpid: int = 0
    exit_status: int | None = None
    killed_by: int = 0
    error: SsiError | None = None
    notice: str = ""
    took_s: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether anything is not as it should be."""
        return self.error is not None or bool(self.exit_status)
