"""What a deployment tells while it works, and how each host fared."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from ssi.model.errors import SsiError


@dataclass(frozen=True, slots=True)
class Step:
    """A step that a host went through, and how long it took."""

    name: str
    took_s: float


@dataclass(slots=True)
class Outcome:
    """How a host fared.

    Attributes:
        host: As the user named it.
        done: What was done, or was found to be done already, in a few words.
        error: Why it failed; None for success.
    """

    host: str
    steps: list[Step] = field(default_factory=list)
    done: str = ""
    error: SsiError | None = None


class Watcher(Protocol):
    """Is told of everything as it happens, from many threads."""

    def began(self, host: str, step: str) -> None:
        """A host begins a step."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """A host is through, well or not."""
        ...


class Unwatched:
    """Tells nobody."""

    def began(self, host: str, step: str) -> None:
        """Nothing is shown."""

    def ended(self, outcome: Outcome) -> None:
        """Nothing is shown."""


@dataclass(slots=True)
class Journey:
    """One host's way through its steps, timed and told."""

    watcher: Watcher
    outcome: Outcome

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Times a step and tells of it; its errors pass through."""
        self.watcher.began(self.outcome.host, name)
        started_s = time.monotonic()
        try:
            yield
        finally:
            self.outcome.steps.append(Step(name, time.monotonic() - started_s))
