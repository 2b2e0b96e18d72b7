"""Why a node is not empty after it was drained."""

from __future__ import annotations

from dataclasses import dataclass

from ssi.model.errors import SsiError


@dataclass(eq=False, kw_only=True)
class DrainIncomplete(SsiError):
    """Jobs are left on a node that was to be drained; it is cordoned all the same."""

    word = "drain-incomplete"
    exit_code = 29
    node: str
    left: list[str]

    def what(self) -> str:
        jobs = "1 job is" if len(self.left) == 1 else f"{len(self.left)} jobs are"
        return f"{jobs} left on {self.node}: {', '.join(self.left)}"

    def advice(self) -> str:
        return f"`ssi drain {self.node}` goes on, `ssi uncordon {self.node}` calls it off"
