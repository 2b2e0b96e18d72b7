"""What a deployment tells while it works, and how each host fared."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from ssi.deploy.errors import OutOfTime
from ssi.deploy.limit import Limit
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
    """One host's way through its steps, timed and told.

    Attributes:
        watcher: Is told.
        outcome: Of all of it, so far.
        now: The step that it is at; empty before the first.
        given_up: Nobody waits for it any more: no further step is begun.
    """

    watcher: Watcher
    outcome: Outcome
    now: str = ""
    given_up: bool = False

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Times a step and tells of it; its errors pass through."""
        if self.given_up and self.outcome.error is not None:
            raise self.outcome.error
        self.now = name
        self.watcher.began(self.outcome.host, name)
        started_s = time.monotonic()
        try:
            yield
        finally:
            self.outcome.steps.append(Step(name, time.monotonic() - started_s))

    def ended(self, error: SsiError | None = None) -> None:
        """The host is through: with this error, or well."""
        self.outcome.error = error
        self.watcher.ended(self.outcome)

    def give_up(self, limit: Limit, again: str) -> None:
        """The time is over before the host was through.

        Args:
            limit: The time.
            again: The command that goes on with it.
        """
        self.given_up = True
        self.ended(
            OutOfTime(
                host=self.outcome.host,
                doing=self.now or "wait for its turn",
                after_s=limit.after_s or 0.0,
                again=again,
            )
        )
