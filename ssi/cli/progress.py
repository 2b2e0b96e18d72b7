"""Shows how hosts fare while they are worked on: a live table on a terminal, else plain lines."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from ssi.cli.settings import settings, wants_colour, wants_progress
from ssi.view.text import plain

if TYPE_CHECKING:
    from types import TracebackType

    from rich.live import Live
    from rich.table import Table

    from ssi.deploy.progress import Outcome, Step


class Display:
    """A watcher of deployments, on stderr. Everything may be called from any thread.

    Args:
        hosts: In the order in which they are shown.
    """

    def __init__(self, hosts: Sequence[str]) -> None:
        self._lock = threading.Lock()
        self._now: dict[str, str] = dict.fromkeys(hosts, "waits")
        self._ended: dict[str, Outcome] = {}
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if wants_progress():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(
                get_renderable=self._table,
                console=Console(stderr=True, no_color=not wants_colour(sys.stderr)),
                refresh_per_second=8,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def began(self, host: str, step: str) -> None:
        """A host begins a step."""
        with self._lock:
            self._now[host] = step

    def ended(self, outcome: Outcome) -> None:
        """A host is through."""
        with self._lock:
            self._ended[outcome.host] = outcome
            if self._live is None and not settings().quiet:
                print(line_of(outcome), file=sys.stderr, flush=True)

    def ask(self, question: str) -> bool:
        """A person's answer; the table stands still meanwhile."""
        if self._live is not None:
            self._live.stop()
        try:
            print(f"{plain(question)} [y/N] ", end="", file=sys.stderr, flush=True)
            return sys.stdin.readline().strip().lower() in {"y", "yes"}
        finally:
            if self._live is not None:
                self._live.start()

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        with self._lock:
            for host, step in self._now.items():
                outcome = self._ended.get(host)
                mark, style = ("·", "dim") if outcome is None else mark_of(outcome)
                told = step if outcome is None else summary_of(outcome)
                times = "" if outcome is None else times_of(outcome.steps)
                table.add_row(
                    Text(mark, style),
                    Text(plain(host)),
                    Text(plain(told), style),
                    Text(times, "dim"),
                )
        return table


def mark_of(outcome: Outcome) -> tuple[str, str]:
    """A mark that can be told without its colour, and the colour."""
    return ("✓", "green") if outcome.error is None else ("✗", "red")


def summary_of(outcome: Outcome) -> str:
    """A few words on how a host fared; the whole story of a failure follows below."""
    return outcome.done if outcome.error is None else outcome.error.word


def line_of(outcome: Outcome) -> str:
    """The same as one plain line."""
    mark = "ok" if outcome.error is None else "FAILED"
    return plain(f"{outcome.host}: {mark}: {summary_of(outcome)} ({times_of(outcome.steps)})")


def times_of(steps: Sequence[Step]) -> str:
    """The steps that took time worth telling, with their seconds."""
    return ", ".join(f"{step.name} {step.took_s:.2f} s" for step in steps if step.took_s >= 0.005)
