"""Where a job is in its life with one shim, and every step it may take there."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from ssi.model.shim import WrongStage


class Stage(StrEnum):
    """A point in the life of a job; the words of ``Status.stage``."""

    EMPTY = "empty"
    RUNNING = "running"
    DUMPED = "dumped"
    COMMITTED = "committed"
    LENT = "lent"
    READY = "ready"
    EXITED = "exited"


class Step(StrEnum):
    """What takes a job from one stage to another."""

    START = "start"
    EXIT = "exit"
    DUMP = "dump"
    THAW = "thaw"
    COMMIT = "commit"
    LEND = "lend"
    RESTORE = "restore"
    RESTORE_HERE = "restore-here"
    RESUME = "resume"
    DROP = "drop"


STEPS: Final[dict[tuple[Stage, Step], Stage]] = {
    (Stage.EMPTY, Step.START): Stage.RUNNING,
    (Stage.RUNNING, Step.EXIT): Stage.EXITED,
    (Stage.RUNNING, Step.DUMP): Stage.DUMPED,
    (Stage.DUMPED, Step.THAW): Stage.RUNNING,
    (Stage.DUMPED, Step.COMMIT): Stage.COMMITTED,
    (Stage.COMMITTED, Step.RESTORE_HERE): Stage.RUNNING,
    (Stage.DUMPED, Step.LEND): Stage.LENT,
    (Stage.LENT, Step.DROP): Stage.EMPTY,
    (Stage.EMPTY, Step.RESTORE): Stage.READY,
    (Stage.READY, Step.RESUME): Stage.RUNNING,
    (Stage.READY, Step.DROP): Stage.EMPTY,
    # An agent that lost the reply asks again; it is told that the deed is done.
    (Stage.RUNNING, Step.THAW): Stage.RUNNING,
    (Stage.RUNNING, Step.RESUME): Stage.RUNNING,
    (Stage.COMMITTED, Step.COMMIT): Stage.COMMITTED,
    (Stage.LENT, Step.LEND): Stage.LENT,
}
"""Every step; any other is refused."""

MAY_END: Final = frozenset({Stage.EMPTY, Stage.COMMITTED, Stage.READY, Stage.EXITED})
"""Where :class:`~nodeagent.shim.messages.Release` is taken: nothing is lost with the shim."""


def next_stage(stage: Stage, step: Step) -> Stage:
    """Where ``step`` leads from ``stage``.

    Raises:
        WrongStage: Nowhere.
    """
    to = STEPS.get((stage, step))
    if to is None:
        raise WrongStage(request=step, stage=stage)
    return to
